import { useEffect, useRef } from 'preact/hooks'
import type { Frame } from '../api-types.ts'
import { absoluteTime, relativeTime } from '../format.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { beside, timelineOf } from '../timeline.ts'
import { ErrorNote } from './states.tsx'
import { Thumbnail } from './thumbnail.tsx'

/** To each side. */
const NEIGHBOURS = 3

export interface FrameNeighboursProps {
  readonly frame: Frame
  readonly onStep: (frame: Frame) => void
}

/** What the same camera saw just before and after; the arrow keys go along. */
export function FrameNeighbours({ frame, onStep }: FrameNeighboursProps) {
  const { api } = useServices()
  const now = useNow(5000)
  const { data, error, reload } = useResource(frame.id, async signal =>
    timelineOf(frame, await api.neighbours(frame.id, NEIGHBOURS, signal)),
  )
  // While the next one loads, the one before still knows the way.
  const timeline = data?.some(({ id }) => id === frame.id) ? data : undefined
  const step = (steps: number) => {
    const next = timeline && beside(timeline, frame.id, steps)
    if (next !== undefined) onStep(next)
  }
  const newest = useRef(step)
  newest.current = step
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const { key, target } = event
      if (key !== 'ArrowLeft' && key !== 'ArrowRight') return
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
      if (target instanceof HTMLElement && target.closest('input, textarea, select') !== null) return
      event.preventDefault()
      newest.current(key === 'ArrowLeft' ? -1 : 1)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])

  return (
    <section aria-label="Before and after">
      <h3>Before and after</h3>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {timeline === undefined && error === undefined && (
        <div class="neighbours" aria-busy="true">
          <span class="skeleton-picture" />
          <span class="skeleton-picture" />
          <span class="skeleton-picture" />
        </div>
      )}
      {timeline?.length === 1 && <p class="hint">This camera has no other frame stored.</p>}
      {timeline !== undefined && timeline.length > 1 && (
        <>
          <ol class="neighbours">
            {timeline.map(other => (
              <li key={other.id}>
                <button
                  type="button"
                  class="neighbour"
                  aria-label={absoluteTime(other.capturedAt)}
                  aria-current={other.id === frame.id ? 'true' : undefined}
                  title={`${absoluteTime(other.capturedAt)} (${relativeTime(other.capturedAt, now)})`}
                  onClick={() => other.id !== frame.id && onStep(other)}
                >
                  <Thumbnail url={other.thumbnailUrl} alt="" none="" />
                </button>
              </li>
            ))}
          </ol>
          <p class="hint">
            Go along with <kbd>←</kbd> and <kbd>→</kbd>.
          </p>
        </>
      )}
    </section>
  )
}
