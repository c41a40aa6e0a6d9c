import { Ago } from '../components/marks.tsx'
import { learntText, recordText } from '../rule-standing.ts'
import { learnt, ruleRecords } from '../rules-api.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'

export interface RuleTrustProps {
  readonly rule: string
  /** Changes with every verdict that is given or taken back. */
  readonly round: number
}

/** What verdicts have made of a rule, on all cameras: not for limited viewers. */
export function RuleTrust({ rule, round }: RuleTrustProps) {
  const { api } = useServices()
  const now = useNow()
  const all = useSession().scope === null
  const records = useResource(all ? `records ${round}` : undefined, signal => ruleRecords(api, signal))
  const lessons = useResource(all ? `lessons ${round}` : undefined, signal => learnt(api, signal))
  const record = records.data?.find(each => each.rule === rule)
  const lesson = lessons.data?.find(each => each.rule === rule)
  if (records.data === undefined || lessons.data === undefined) return null
  return (
    <section class="review-trust" aria-label="This rule so far">
      <p>
        {record === undefined ? 'No incident of this rule has been reviewed before.' : recordText(record)}
      </p>
      {record !== undefined && (
        <progress
          class="review-precision"
          max={record.reviewed}
          value={record.confirmed}
          aria-label="Precision"
        />
      )}
      {record !== undefined && record.notes.length > 0 && (
        <ul class="review-notes" aria-label="Notes of reviewers">
          {record.notes.map(({ incident, verdict, note, at }) => (
            <li key={incident}>
              <q>{note}</q>{' '}
              <span class="hint">
                {verdict}, <Ago iso={at} now={now} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <p class="hint">
        {lesson === undefined || lesson.labels === 0
          ? 'Nothing learnt yet: verdicts are learnt a minute after they are given.'
          : `Learnt: ${learntText(lesson)}`}
      </p>
    </section>
  )
}
