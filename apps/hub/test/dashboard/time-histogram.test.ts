import { describe, expect, test } from 'vitest'
import { rangeOver, withGaps } from '../../dashboard/src/time-histogram.ts'

const HOUR = 3_600_000
const at = (hour: number) => Date.parse('2026-03-10T00:00:00Z') + hour * HOUR
const iso = (hour: number) => new Date(at(hour)).toISOString()

describe('the histogram over time', () => {
  test('shows its gaps', () => {
    const buckets = [
      { at: iso(1), count: 4 },
      { at: iso(4), count: 1 },
    ]
    expect(withGaps({ bucketMs: HOUR, buckets })).toEqual([
      { at: at(1), count: 4 },
      { at: at(2), count: 0 },
      { at: at(3), count: 0 },
      { at: at(4), count: 1 },
    ])
    expect(withGaps({ bucketMs: HOUR, buckets: [] })).toEqual([])
  })

  test('a span beyond all measure is not drawn empty hour by empty hour', () => {
    const buckets = [
      { at: iso(0), count: 1 },
      { at: iso(1e6), count: 1 },
    ]
    expect(withGaps({ bucketMs: HOUR, buckets })).toHaveLength(2)
  })

  test('a bucket as a filter is that bucket, whatever the time zone', () => {
    const { range, from, to } = rangeOver(at(1), at(2))
    expect(range).toBe('custom')
    expect([from, to]).toEqual([iso(1), iso(2)])
  })
})
