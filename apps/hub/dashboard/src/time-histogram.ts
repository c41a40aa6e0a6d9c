import type { SearchHistogram } from './api-types.ts'
import type { SearchQuery } from './search-query.ts'

export interface TimeBucket {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly count: number
}

/** More than the hub makes of any span; beyond it, gaps are not drawn. */
const MAX_DRAWN = 200

/** The hub leaves out what is empty; a picture of time shows its gaps. */
export function withGaps({ bucketMs, buckets }: SearchHistogram): TimeBucket[] {
  const known = buckets.map(({ at, count }) => ({ at: Date.parse(at), count }))
  const [first, last] = [known[0], known.at(-1)]
  if (first === undefined || last === undefined) return []
  const places = Math.round((last.at - first.at) / bucketMs) + 1
  if (places > MAX_DRAWN) return known
  const counts = new Map(known.map(({ at, count }) => [at, count]))
  return Array.from({ length: places }, (_, place) => {
    const at = first.at + place * bucketMs
    return { at, count: counts.get(at) ?? 0 }
  })
}

/** The filter that leaves exactly what is in these buckets. */
export function rangeOver(from: number, until: number): Pick<SearchQuery, 'range' | 'from' | 'to'> {
  return { range: 'custom', from: iso(from), to: iso(until) }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
