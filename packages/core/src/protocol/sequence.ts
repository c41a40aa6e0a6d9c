/** First and last sequence number, both included. */
export type SeqRange = readonly [first: number, last: number]

/** Which sequence numbers of a session have been seen: all up to `upTo`, and `ranges` ahead of a gap. */
export interface SeqSet {
  readonly upTo: number
  /** Ascending, disjoint, not adjacent, all above `upTo` + 1. */
  readonly ranges: readonly SeqRange[]
}

export const EMPTY_SEQ_SET: SeqSet = { upTo: 0, ranges: [] }

export function hasSeq(set: SeqSet, seq: number): boolean {
  return seq <= set.upTo || set.ranges.some(([first, last]) => seq >= first && seq <= last)
}

/** The union with `added`, in normal form. Pure: acknowledgement state lives in a transaction. */
export function addSeqs(set: SeqSet, added: readonly SeqRange[]): SeqSet {
  const sorted = [...set.ranges, ...added]
    .filter(([first, last]) => first <= last)
    .sort((a, b) => a[0] - b[0])
  let { upTo } = set
  const ranges: [number, number][] = []
  for (const [first, last] of sorted) {
    if (first <= upTo + 1) {
      upTo = Math.max(upTo, last)
      continue
    }
    const previous = ranges.at(-1)
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last)
    else ranges.push([first, last])
  }
  return { upTo, ranges }
}

/** Ascending sequence numbers folded into ranges. */
export function toRanges(seqs: readonly number[]): SeqRange[] {
  return [
    ...addSeqs(
      { upTo: -1, ranges: [] },
      seqs.map(seq => [seq, seq] as const),
    ).ranges,
  ]
}
