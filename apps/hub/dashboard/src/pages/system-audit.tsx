import { useState } from 'preact/hooks'
import type { AuditEntry } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { absoluteTime } from '../format.ts'
import { useNow, useResource, useServices } from '../services.ts'

const PAGE_SIZE = 20
/** The hub answers no more at once. */
const MAX_ENTRIES = 1000

export function AuditTable({ round }: { round: string }) {
  const { api } = useServices()
  const now = useNow(10_000)
  const [limit, setLimit] = useState(PAGE_SIZE)
  const { data, error, loading, reload } = useResource(`audit ${limit} ${round}`, signal =>
    api.audit(limit, signal),
  )
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data === undefined && loading && <p role="status">Loading…</p>}
      {data?.length === 0 && <p>Nothing has been noted yet.</p>}
      {data !== undefined && data.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
        <section class="table-scroll" aria-label="Audit entries" tabIndex={0}>
          <table class="system-table">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">Did</th>
                <th scope="col">To</th>
                <th scope="col">Details</th>
              </tr>
            </thead>
            <tbody>
              {data.map(({ id, at, actor, action, subject, detail }) => (
                <tr key={id}>
                  <td>
                    <Ago iso={at} now={now} />
                  </td>
                  <td>{actor}</td>
                  <td>{action}</td>
                  <td class="audit-subject">{subject}</td>
                  <td>{detailText(detail)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {data !== undefined && data.length >= limit && limit < MAX_ENTRIES && (
        <button
          type="button"
          class="button button-small more"
          aria-disabled={loading}
          onClick={() => loading || setLimit(Math.min(MAX_ENTRIES, limit + 5 * PAGE_SIZE))}
        >
          Show more
        </button>
      )}
    </>
  )
}

function detailText(detail: AuditEntry['detail']): string {
  return Object.entries(detail)
    .map(([name, value]) => `${name}: ${valueText(name, value)}`)
    .join(', ')
}

/** Times are told from other numbers by their names, as in the audit log itself. */
function valueText(name: string, value: AuditEntry['detail'][string]): string {
  if (typeof value === 'number' && name.endsWith('At')) return absoluteTime(new Date(value).toISOString())
  return String(value ?? 'none')
}
