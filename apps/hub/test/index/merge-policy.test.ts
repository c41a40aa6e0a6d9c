import { nextRebuild, type SegmentSize } from '@sightline/hub/index/merge-policy.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const LIMITS = { sealAt: 4096, maxRows: 262_144 }
const live = (segments: readonly SegmentSize[]) =>
  segments.reduce((sum, { count, dead }) => sum + count - dead, 0)

/** Does all there is to do, as if building took no time. */
function settle(segments: SegmentSize[]): { segments: SegmentSize[]; built: number } {
  let built = 0
  for (let next = nextRebuild(segments, LIMITS); next !== undefined; next = nextRebuild(segments, LIMITS)) {
    const rows = live(segments.slice(next.from, next.to))
    segments.splice(next.from, next.to - next.from, ...(rows > 0 ? [{ count: rows, dead: 0 }] : []))
    built += rows
  }
  return { segments, built }
}

test('a million vectors end in a few segments, none too large, each built three more times at most', () => {
  const segments: SegmentSize[] = []
  let built = 0
  for (let sealed = 0; sealed < 244; sealed++) {
    segments.push({ count: 4096, dead: 0 })
    built += settle(segments).built
    expect(segments.length).toBeLessThanOrEqual(3 * 3 + Math.floor((sealed + 1) / 64))
  }
  expect(live(segments)).toBe(244 * 4096)
  expect(segments.filter(({ count }) => count >= 0.9 * 262_144)).toHaveLength(4)
  expect(built).toBeLessThanOrEqual(3 * 244 * 4096)
})

test('segments with more than a fifth removed shrink, empty ones go, others stay', () => {
  const of = (...dead: number[]) => dead.map(each => ({ count: 5000, dead: each }))
  expect(nextRebuild(of(0, 1000, 0), LIMITS)).toBeUndefined()
  expect(nextRebuild(of(0, 1001, 0), LIMITS)).toEqual({ from: 1, to: 2 })
  expect(nextRebuild(of(0, 1001, 5000), LIMITS)).toEqual({ from: 2, to: 3 })
  expect(nextRebuild([], LIMITS)).toBeUndefined()
})

test('whatever the sizes, it comes to an end, loses nothing and exceeds no limit', () => {
  const size = fc
    .record({
      count: fc.integer({ min: 1, max: 400_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .map(({ count, share }) => ({ count, dead: Math.round(count * share) }))
  fc.assert(
    fc.property(fc.array(size, { maxLength: 40 }), sizes => {
      const before = live(sizes)
      const largest = Math.max(LIMITS.maxRows, ...sizes.map(({ count, dead }) => count - dead))
      const { segments } = settle([...sizes])
      expect(live(segments)).toBe(before)
      expect(segments.every(({ count, dead }) => count - dead <= largest && dead <= 0.2 * count)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
