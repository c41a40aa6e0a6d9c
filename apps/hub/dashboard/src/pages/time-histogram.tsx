import { useRef, useState } from 'preact/hooks'
import type { SearchHistogram } from '../api-types.ts'
import { absoluteTime, plural } from '../format.ts'
import type { SearchQuery } from '../search-query.ts'
import { rangeOver, withGaps } from '../time-histogram.ts'

export interface TimeHistogramProps {
  readonly histogram: SearchHistogram
  readonly onChange: (change: Partial<SearchQuery>) => void
}

const HEIGHT = 100
const LEAST = 4

/** When the matches were seen; a column narrows the search to its time. One stop for Tab, arrows within. */
export function TimeHistogram({ histogram, onChange }: TimeHistogramProps) {
  const buckets = withGaps(histogram)
  const strip = useRef<HTMLDivElement>(null)
  const [place, setPlace] = useState(0)
  if (buckets.length < 2) return null
  const { bucketMs } = histogram
  const most = Math.max(...buckets.map(({ count }) => count))
  const current = Math.min(place, buckets.length - 1)
  const move = (to: number) => {
    const next = Math.max(0, Math.min(buckets.length - 1, to))
    setPlace(next)
    strip.current?.querySelectorAll('button')[next]?.focus()
  }
  const press = (event: KeyboardEvent) => {
    const to = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: buckets.length - 1 }[
      event.key
    ]
    if (to === undefined) return
    event.preventDefault()
    move(to)
  }
  const iso = (at: number) => new Date(at).toISOString()
  return (
    <figure class="histogram">
      <div
        ref={strip}
        class="histogram-strip"
        role="toolbar"
        aria-label="Matches over time"
        onKeyDown={press}
      >
        {buckets.map(({ at, count }, i) => {
          const height = count === 0 ? 0 : Math.max(LEAST, Math.sqrt(count / most) * HEIGHT)
          const label = `${absoluteTime(iso(at))}: ${plural(count, 'match', 'matches')}`
          return (
            <button
              key={at}
              type="button"
              class="histogram-bucket"
              tabIndex={i === current ? 0 : -1}
              aria-label={label}
              aria-disabled={count === 0}
              title={label}
              onFocus={() => setPlace(i)}
              onClick={() => count > 0 && onChange(rangeOver(at, at + bucketMs))}
            >
              <svg viewBox={`0 0 10 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
                <rect class="histogram-bar" x={0.5} y={HEIGHT - height} width={9} height={height} />
              </svg>
            </button>
          )
        })}
      </div>
      <figcaption class="histogram-ends">
        <span>{absoluteTime(iso(buckets[0]!.at))}</span>
        <span>{absoluteTime(iso(buckets.at(-1)!.at + bucketMs))}</span>
      </figcaption>
    </figure>
  )
}
