import { TopK } from '@sightline/hub/index/top-k.js'
import { rowTest, scanSlice, VectorRows } from '@sightline/hub/index/vector-rows.js'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../../test/support/vectors.ts'

const ordsOf = (rows: VectorRows) =>
  rows.snapshot().flatMap(({ block, from, to }) => [...block.ords.subarray(from, to)])
const append = (rows: VectorRows, ord: number) =>
  rows.append({ ord, vector: Float32Array.of(1, 0, 0), source: 0, capturedAt: ord })

test('rows are kept in order through any appending and trimming, and snapshots do not change', () => {
  const random = seededRandom(31)
  const rows = new VectorRows(3)
  const model: number[] = []
  let next = 1
  for (let step = 0; step < 200; step++) {
    if (random() < 0.6) {
      for (let i = Math.floor(random() * 3000); i > 0; i--) {
        model.push(next)
        append(rows, next++)
      }
    } else {
      const snapshot = rows.snapshot()
      const seen = ordsOf(rows)
      const count = Math.floor(random() * (model.length + 1))
      rows.trim(count)
      model.splice(0, count)
      append(rows, next)
      model.push(next++)
      expect(snapshot.flatMap(({ block, from, to }) => [...block.ords.subarray(from, to)])).toEqual(seen)
    }
    expect(rows.count).toBe(model.length)
  }
  expect(ordsOf(rows)).toEqual(model)
  expect(rows.snapshot(10).reduce((sum, { from, to }) => sum + to - from, 0)).toBe(Math.min(10, model.length))
})

test('the best k are those of a full sort, ties by time, then ord, descending', () => {
  const random = seededRandom(32)
  const offers = Array.from({ length: 500 }, (_, ord) => ({
    ord,
    capturedAt: Math.floor(random() * 5),
    similarity: Math.floor(random() * 50) / 50,
  }))
  const sorted = [...offers].sort(
    (a, b) => b.similarity - a.similarity || b.capturedAt - a.capturedAt || b.ord - a.ord,
  )
  for (const k of [0, 1, 7, 499, 500, 900]) {
    const best = new TopK(k)
    for (const { ord, capturedAt, similarity } of offers) best.offer(ord, similarity, capturedAt)
    expect(best.hits()).toEqual(sorted.slice(0, k))
  }
})

test('a filter lets through what matches and was not removed', () => {
  expect(rowTest({ sources: undefined, from: undefined })).toBeUndefined()
  const rows = new VectorRows(3)
  for (let ord = 1; ord <= 5; ord++) append(rows, ord)
  const best = new TopK(9)
  for (const slice of rows.snapshot())
    scanSlice(slice, Float32Array.of(1, 0, 0), rowTest({ from: 2, to: 4 }), best)
  expect(best.hits().map(hit => hit.ord)).toEqual([3, 2])
  expect([rows.remove(3), rows.remove(3), rows.remove(9)]).toEqual([true, false, false])
  expect(rows.live).toBe(4)
  const all = new TopK(9)
  for (const slice of rows.snapshot()) scanSlice(slice, Float32Array.of(1, 0, 0), rowTest(), all)
  expect(all.hits().map(hit => hit.ord)).toEqual([5, 4, 2, 1])
})
