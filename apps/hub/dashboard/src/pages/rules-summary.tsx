import type { RulesDocument } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { plural } from '../format.ts'
import type { RollOut } from '../rule-standing.ts'
import { useNow } from '../services.ts'

export interface RulesSummaryProps {
  readonly rules: RulesDocument
  readonly rollOut: RollOut
  /** Whether the roll-out is that of these rules, and not of the ones before. */
  readonly current: boolean
}

/** How new the rules are, and on how many devices they are in force. */
export function RulesSummary({ rules, rollOut, current }: RulesSummaryProps) {
  const now = useNow(5000)
  const { inForce, devices } = rollOut
  return (
    <p class="page-sub rules-summary">
      Version {rules.version}, changed <Ago iso={rules.updatedAt} now={now} />
      <span role="status">
        {current && devices.length > 0 && ` · in force on ${inForce} of ${plural(devices.length, 'device')}`}
      </span>
    </p>
  )
}
