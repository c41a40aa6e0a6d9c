import { expect, test } from 'vitest'
import { spanOf } from '../../dashboard/src/grid-span.ts'

const place = { total: 1000, columns: 5, rowPx: 250, viewPx: 800 }

test('at the top: the view and one more of it below', () => {
  expect(spanOf({ ...place, topPx: 300 })).toEqual({ first: 0, end: 30, beforePx: 0, afterPx: 194 * 250 })
})

test('in the middle: as much above as below, and the same room in all', () => {
  const { first, end, beforePx, afterPx } = spanOf({ ...place, topPx: -20_000 })
  expect([first, end]).toEqual([76 * 5, 87 * 5])
  expect(beforePx + ((end - first) / 5) * 250 + afterPx).toBe(200 * 250)
})

test('at the end, and scrolled beyond it, the last row is there', () => {
  for (const topPx of [-49_000, -500_000]) {
    const { first, end, afterPx } = spanOf({ ...place, total: 998, topPx })
    expect(end).toBe(998)
    expect(first).toBeLessThan(end)
    expect(afterPx).toBe(0)
  }
})

test('however far one scrolls, few cards are in the document', () => {
  for (let topPx = 500; topPx > -60_000; topPx -= 97) {
    const { first, end } = spanOf({ ...place, topPx })
    expect(end - first).toBeLessThanOrEqual(11 * 5)
  }
})

test('all cards while nothing is measured, and none of none', () => {
  expect(spanOf({ ...place, total: 48, rowPx: 0, topPx: 0 })).toMatchObject({ first: 0, end: 48 })
  expect(spanOf({ ...place, total: 0, topPx: 0 })).toMatchObject({ first: 0, end: 0 })
})
