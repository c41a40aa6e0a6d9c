import type { StatsPoint } from './fleet-api.ts'

export interface SeriesPoint {
  /** Seconds since the epoch. */
  readonly at: number
  /** Null: nothing is known of this time. */
  readonly point: StatsPoint | null
}

/** Points with an empty one before each that follows a silence, so that no line is drawn across it. */
export function withGaps(points: readonly StatsPoint[]): SeriesPoint[] {
  return points.flatMap((point, index): SeriesPoint[] => {
    const at = Date.parse(point.at) / 1000
    const known = { at, point }
    return point.gap && index > 0 ? [{ at: at - 1, point: null }, known] : [known]
  })
}
