/** Segments of one size class that become one of the next. */
const FAN_IN = 4
/** A segment belongs to a class with so much of the rows that the class is named by. */
const ALMOST = 0.9
/** Share of removed rows above which a segment is built anew without them. */
const MAX_DEAD_SHARE = 0.2

export interface SegmentSize {
  readonly count: number
  readonly dead: number
}

/** Segments `from` up to `to`, excluded, become one; or none, when nothing of them is left. */
export interface Rebuild {
  readonly from: number
  readonly to: number
}

export interface MergeLimits {
  /** Rows of a segment of the lowest class; each class holds four times the one below. */
  readonly sealAt: number
  /** Rows of the largest segment that merging makes. */
  readonly maxRows: number
}

/**
 * What to do next in a list of segments in order of time: drop what is empty, merge neighbours of the same class or below
 * (O'Neil et al. 1996, in tiers: each row is built anew once a class), and shrink what has too many removed rows. Only
 * neighbours are merged, so that a segment stays one stretch of time, which a time filter can pass over.
 */
export function nextRebuild(segments: readonly SegmentSize[], limits: MergeLimits): Rebuild | undefined {
  const empty = segments.findIndex(({ count, dead }) => dead === count)
  if (empty >= 0) return { from: empty, to: empty + 1 }
  const classes = segments.map(segment => classOf(segment, limits.sealAt))
  const highest = Math.max(0, ...classes)
  for (let most = 0; most <= highest; most++) {
    for (let to = segments.length; to > 0; to--) {
      let from = to
      let rows = 0
      while (from > 0 && classes[from - 1]! <= most) {
        rows += live(segments[from - 1]!)
        if (rows > limits.maxRows) break
        from--
      }
      if (to - from >= FAN_IN && worthIt(segments.slice(from, to), most, limits.sealAt)) return { from, to }
    }
  }
  const sparse = segments.findIndex(({ count, dead }) => dead > MAX_DEAD_SHARE * count)
  return sparse < 0 ? undefined : { from: sparse, to: sparse + 1 }
}

/** Of the lowest class any four; above, what comes out must be of the next class, or large rows are built for a few more. */
function worthIt(run: readonly SegmentSize[], most: number, sealAt: number): boolean {
  const rows = run.reduce((sum, segment) => sum + live(segment), 0)
  return most === 0 || rows >= ALMOST * sealAt * FAN_IN ** (most + 1)
}

function live({ count, dead }: SegmentSize): number {
  return count - dead
}

function classOf(segment: SegmentSize, sealAt: number): number {
  return Math.max(0, Math.floor(Math.log(live(segment) / (ALMOST * sealAt)) / Math.log(FAN_IN)))
}
