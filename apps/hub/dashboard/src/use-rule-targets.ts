import { type RuleTargets, ruleTargets } from './rules-api.ts'
import { useLive, useResource, useServices } from './services.ts'
import { useSession } from './session.tsx'

export interface KnownTargets extends Pick<RuleTargets, 'targets'> {
  /** Whether they are those of the newest rules; until then they are of the ones before. */
  readonly current: boolean
  /** As of a resource. */
  readonly awaited: boolean
}

/**
 * Who was sent the rules and who applies them; asked again whenever a device applies, refuses, comes or goes. Nobody for
 * limited viewers: the answer is of the whole fleet.
 */
export function useRuleTargets(version: number | undefined): KnownTargets {
  const { api } = useServices()
  const { nodes } = useLive()
  const all = useSession().scope === null
  const heard = [...nodes.values()].map(
    ({ site, node, online, rulesVersion, rulesError }) =>
      `${site}/${node} ${online} ${rulesVersion} ${rulesError}`,
  )
  const key = version === undefined || !all ? undefined : `${version} ${heard.join()}`
  const { data, awaited } = useResource(key, signal => ruleTargets(api, signal))
  return {
    targets: data?.targets ?? [],
    current: data !== undefined && data.version >= (version ?? 0),
    awaited,
  }
}
