import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { openEnrolments, withdrawEnrolment } from '../fleet-api.ts'
import { useResource, useServices } from '../services.ts'

/** One-time tokens that still work; asked for anew when `round` changes. */
export function EnrolmentList({ round, now }: { round: string; now: number }) {
  const { api } = useServices()
  const open = useResource(`enrolments ${round}`, signal => openEnrolments(api, signal))
  const [failed, setFailed] = useState<ApiError>()
  const waiting = open.data?.filter(({ expiresAt }) => Date.parse(expiresAt) > now) ?? []
  const withdraw = (id: string) => {
    setFailed(undefined)
    // One that was spent meanwhile is gone, too: the list says so.
    return withdrawEnrolment(api, id)
      .catch(error => setFailed(asApiError(error)))
      .then(open.reload)
  }
  if (waiting.length === 0 && failed === undefined && open.error === undefined) return null
  return (
    <section class="card device-panel" aria-label="Open enrolments">
      <h2>Open enrolments</h2>
      <p class="hint">Commands that a device has not been enrolled with yet. Each works once.</p>
      {open.error !== undefined && <ErrorNote error={open.error} onRetry={open.reload} />}
      {failed !== undefined && <ErrorNote error={failed} />}
      <ul class="device-list">
        {waiting.map(({ id, site, node, createdBy, expiresAt }) => (
          <li key={id}>
            <div>
              <strong>
                {site}/{node}
              </strong>
              <span class="hint">
                made by {createdBy}, expires <Ago iso={expiresAt} now={now} />
              </span>
            </div>
            <button
              type="button"
              class="button button-small"
              aria-label={`Withdraw the enrolment of ${site}/${node}`}
              onClick={() => void withdraw(id)}
            >
              Withdraw
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
