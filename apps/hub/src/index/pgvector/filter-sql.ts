import type { IndexFilter } from '../vector-index.ts'

/** A condition and what its `$` numbers stand for. */
export interface Condition {
  readonly text: string
  readonly params: readonly unknown[]
}

/** The filter as a condition whose parameters are numbered from `first` on; undefined when everything passes. */
export function conditionOf(filter: IndexFilter, first: number): Condition | undefined {
  const { sources, labels, ords, from, to } = filter
  const params: unknown[] = []
  const given = (value: unknown) => `$${first + params.push(value) - 1}`
  const parts = [
    ...(sources === undefined ? [] : [`source = ANY(${given([...sources])}::int[])`]),
    ...(labels === undefined ? [] : [`labels && ${given([...labels])}::int[]`]),
    ...(ords === undefined ? [] : [`ord = ANY(${given([...ords])}::bigint[])`]),
    // Whole milliseconds are stored: at or after 1.5 is at or after 2.
    ...(isBound(from) ? [`captured_at >= ${given(Math.ceil(from))}::bigint`] : []),
    ...(isBound(to) ? [`captured_at < ${given(Math.ceil(to))}::bigint`] : []),
  ]
  return parts.length === 0 ? undefined : { text: parts.join(' AND '), params }
}

function isBound(time: number | undefined): time is number {
  return time !== undefined && Number.isFinite(time)
}
