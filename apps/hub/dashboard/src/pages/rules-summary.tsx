import type { RulesDocument } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { plural } from '../format.ts'
import { standing } from '../rule-standing.ts'
import { ruleTargets } from '../rules-api.ts'
import { useLive, useNow, useResource, useServices } from '../services.ts'

/** How new the rules are, and on which devices they are in force. */
export function RulesSummary({ rules }: { rules: RulesDocument }) {
  const { api } = useServices()
  const { nodes } = useLive()
  const now = useNow(5000)
  // Asked again whenever a device applies, refuses, comes or goes.
  const heard = [...nodes.values()].map(
    ({ site, node, online, rulesVersion, rulesError }) =>
      `${site}/${node} ${online} ${rulesVersion} ${rulesError}`,
  )
  const targets = useResource(`${rules.version} ${heard.join()}`, signal => ruleTargets(api, signal))
  const { inForce, devices, remarks } = standing(targets.data ?? [])
  return (
    <>
      <p class="page-sub">
        Version {rules.version}, changed <Ago iso={rules.updatedAt} now={now} />
        {devices > 0 && ` · in force on ${inForce} of ${plural(devices, 'device')}`}
      </p>
      {remarks.length > 0 && (
        <ul class="remarks hint">
          {remarks.map(remark => (
            <li key={remark}>{remark}</li>
          ))}
        </ul>
      )}
    </>
  )
}
