import type { CameraDrift } from '../api-types.ts'
import { ErrorNote } from '../components/states.tsx'
import { count, plural } from '../format.ts'
import { formatHash } from '../router.ts'
import { useResource, useServices } from '../services.ts'

const LEVELS: Readonly<Record<CameraDrift['level'], { label: string; class: string }>> = {
  none: { label: 'as ever', class: 'pill pill-good' },
  moderate: { label: 'changed', class: 'pill severity severity-medium' },
  large: { label: 'changed much', class: 'pill pill-bad' },
}

/** `round`: asked anew when it changes, as in the other tables of the page. */
export function DriftTable({ round }: { round: number }) {
  const { api } = useServices()
  const { data, error, loading, reload } = useResource(`drift ${round}`, signal => api.drift(signal))
  if (data === undefined) {
    return error === undefined ? (
      <p role="status">{loading && 'Comparing…'}</p>
    ) : (
      <ErrorNote error={error} onRetry={reload} />
    )
  }
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data.cameras.length === 0 && <p>No camera has enough frames of both stretches to compare yet.</p>}
      {data.cameras.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
        <section class="table-scroll" aria-label="Drift of each camera" tabIndex={0}>
          <table class="system-table">
            <thead>
              <tr>
                <th scope="col">Camera</th>
                <th scope="col">Sees</th>
                <th scope="col">Stability index</th>
                <th scope="col">Cosine of the means</th>
                <th scope="col">Frames compared</th>
              </tr>
            </thead>
            <tbody>
              {data.cameras.map(({ site, node, camera, level, nearest, meanCosine, recent, reference }) => (
                <tr key={`${site}/${node}/${camera}`}>
                  <th scope="row">
                    <a href={formatHash('search', { site, node, camera })}>{camera}</a>
                    <span class="hint">
                      {' '}
                      {node}, {site}
                    </span>
                  </th>
                  <td>
                    <span class={LEVELS[level].class}>{LEVELS[level].label}</span>
                  </td>
                  <td class="figure">{nearest.psi.toFixed(2)}</td>
                  <td class="figure">{meanCosine.toFixed(3)}</td>
                  <td class="figure">
                    {count(recent)} and {count(reference)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {data.skipped > 0 && (
        <p class="hint">{plural(data.skipped, 'camera')} left out: fewer than 100 frames in a stretch.</p>
      )}
    </>
  )
}
