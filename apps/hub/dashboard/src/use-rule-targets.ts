import { type RuleTarget, ruleTargets } from './rules-api.ts'
import { useLive, useResource, useServices } from './services.ts'

/** Who was sent the rules and who applies them; asked again whenever a device applies, refuses, comes or goes. */
export function useRuleTargets(version: number | undefined): readonly RuleTarget[] {
  const { api } = useServices()
  const { nodes } = useLive()
  const heard = [...nodes.values()].map(
    ({ site, node, online, rulesVersion, rulesError }) =>
      `${site}/${node} ${online} ${rulesVersion} ${rulesError}`,
  )
  const key = version === undefined ? undefined : `${version} ${heard.join()}`
  return useResource(key, signal => ruleTargets(api, signal)).data ?? []
}
