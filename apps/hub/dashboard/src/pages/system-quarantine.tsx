import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { bytes } from '../format.ts'
import { bytesOfBase64, hexDump } from '../hex-dump.ts'
import { useNow, useResource, useServices } from '../services.ts'

const SHOWN = 50

export function QuarantineList({ round }: { round: string }) {
  const { api } = useServices()
  const now = useNow(10_000)
  const { data, error, loading, reload } = useResource(`quarantine ${round}`, signal =>
    api.quarantine(SHOWN, signal),
  )
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data === undefined && loading && <p role="status">Loading…</p>}
      {data?.length === 0 && <p>Nothing is in quarantine.</p>}
      <ul class="quarantine">
        {data?.map(({ at, topic, reason, head, bytes: size }, place) => (
          <li key={`${at} ${topic} ${place}`}>
            <details>
              <summary>
                <Ago iso={at} now={now} /> · {topic} · {bytes(size)}
              </summary>
              <p>{reason}</p>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard. */}
              <section class="hex" tabIndex={0} aria-label={`First bytes of ${topic}`}>
                <pre>{hexDump(bytesOfBase64(head))}</pre>
              </section>
            </details>
          </li>
        ))}
      </ul>
      {data !== undefined && data.length >= SHOWN && (
        <p class="hint">These are the newest {SHOWN}; earlier ones are in the API.</p>
      )}
    </>
  )
}
