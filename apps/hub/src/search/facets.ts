import { cameraKey } from './grouping.ts'
import type { Candidate, Facets, FacetValue } from './query.ts'

const MAX_VALUES = 100
const MAX_BUCKETS = 60
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Widths that people read easily, in milliseconds. */
const WIDTHS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY]

/** Where and when the candidates are. */
export function facetsOf(candidates: readonly Candidate[]): Facets {
  const frames = candidates.map(({ frame }) => frame)
  const times = frames.map(({ capturedAt }) => capturedAt)
  const bucketMs = widthOf(times)
  const buckets = tally(times.map(time => Math.floor(time / bucketMs) * bucketMs))
  return {
    site: values(frames.map(({ site }) => site)),
    node: values(frames.map(({ site, node }) => `${site}/${node}`)),
    camera: values(frames.map(cameraKey)),
    rule: values(
      frames.flatMap(({ verdicts }) => verdicts.filter(({ fired }) => fired).map(({ rule }) => rule)),
    ),
    tag: values(frames.flatMap(({ tags = [] }) => tags)),
    day: values(times.map(time => new Date(time).toISOString().slice(0, 10))),
    histogram: {
      bucketMs,
      buckets: [...buckets].map(([at, count]) => ({ at, count })).sort((a, b) => a.at - b.at),
    },
  }
}

/** Most frequent first, the first hundred. */
function values(all: readonly string[]): FacetValue[] {
  return [...tally(all)]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
    .slice(0, MAX_VALUES)
}

function tally<T>(all: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>()
  for (const value of all) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function widthOf(times: readonly number[]): number {
  if (times.length === 0) return HOUR
  const span = Math.max(...times) - Math.min(...times)
  return WIDTHS.find(width => span / width < MAX_BUCKETS) ?? WIDTHS.at(-1)!
}
