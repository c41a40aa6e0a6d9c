import { floatStride, kernelOver, sharedMemory } from '@sightline/hub/index/kernel.js'
import { hasBit, selectRows } from '@sightline/hub/index/row-selection.js'
import { newImage, type SegmentImage, words, ZONE_ROWS } from '@sightline/hub/index/segment-image.js'
import type { IndexFilter } from '@sightline/hub/index/vector-index.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../../test/support/vectors.ts'

const COUNT = 3000

/** Sources 2, 5 and 8 at random, labels 10 and 20 on a third and a tenth, times in order but for some. */
function image(): SegmentImage {
  const random = seededRandom(41)
  const made = newImage({ dim: 8, count: COUNT, sources: 3, labels: 2, upperNodes: 0, upperWords: 0 })
  made.sourceIds.set([2, 5, 8])
  made.labelIds.set([10, 20])
  for (let row = 0; row < COUNT; row++) {
    made.ords[row] = 100 + 2 * row
    made.capturedAt[row] = random() < 0.1 ? Math.floor(random() * COUNT) : row
    made.sourceOf[row] = [2, 5, 8][Math.floor(random() * 3)]!
    if (random() < 1 / 3) made.labelBits[row >>> 5]! |= 1 << (row & 31)
    if (random() < 0.1) made.labelBits[words(COUNT) + (row >>> 5)]! |= 1 << (row & 31)
    if (random() < 0.05) made.dead[row >>> 5]! |= 1 << (row & 31)
  }
  let end = 0
  for (const [i, source] of [2, 5, 8].entries()) {
    const rows = [...made.sourceOf.keys()].filter(row => made.sourceOf[row] === source)
    made.rowsBySource.set(rows, end)
    made.sourceEnds[i] = end += rows.length
  }
  for (let zone = 0; zone * ZONE_ROWS < COUNT; zone++) {
    const times = made.capturedAt.subarray(zone * ZONE_ROWS, (zone + 1) * ZONE_ROWS)
    made.zones.set([Math.min(...times), Math.max(...times)], 2 * zone)
  }
  return made
}

const SEGMENT = image()

function passes(
  row: number,
  { sources, labels, ords, from = -Infinity, to = Infinity }: IndexFilter,
): boolean {
  const labelled = (label: number) =>
    label === 10
      ? hasBit(SEGMENT.labelBits.subarray(0, words(COUNT)), row)
      : label === 20 && hasBit(SEGMENT.labelBits.subarray(words(COUNT)), row)
  const at = SEGMENT.capturedAt[row]!
  return (
    !hasBit(SEGMENT.dead, row) &&
    at >= from &&
    at < to &&
    (sources?.includes(SEGMENT.sourceOf[row]!) ?? true) &&
    (labels?.some(labelled) ?? true) &&
    (ords?.includes(SEGMENT.ords[row]!) ?? true)
  )
}

const filters = fc.record(
  {
    sources: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
    labels: fc.array(fc.constantFrom(10, 20, 30), { maxLength: 3 }),
    ords: fc.array(fc.integer({ min: 90, max: 2 * COUNT + 110 }), { maxLength: 200 }),
    from: fc.integer({ min: -10, max: COUNT + 10 }),
    to: fc.integer({ min: -10, max: COUNT + 10 }),
  },
  { requiredKeys: [] },
)

test('the listed rows that pass are those that match, whatever the filter', () => {
  fc.assert(
    fc.property(filters, filter => {
      const selection = selectRows(SEGMENT, filter, true)
      const listed: number[] = []
      selection.candidates(row => listed.push(row))
      const found = listed.filter(row => selection.passes!(row)).sort((a, b) => a - b)
      expect(found).toEqual([...SEGMENT.ords.keys()].filter(row => passes(row, filter)))
      expect(new Set(listed).size).toBe(listed.length)
    }),
    { numRuns: 300 },
  )
})

test('how many match is known well enough to plan by', () => {
  for (const filter of [
    {},
    { sources: [5] },
    { labels: [20] },
    { from: 500, to: 1500 },
    { sources: [2], labels: [10] },
  ]) {
    const matching = [...SEGMENT.ords.keys()].filter(row => passes(row, filter)).length
    const { matching: estimate } = selectRows(SEGMENT, filter, true)
    expect(estimate / matching).toBeGreaterThan(0.7)
    expect(estimate / matching).toBeLessThan(1.5)
  }
  expect(selectRows(SEGMENT, {}, false).passes).toBeUndefined()
})

test.each([8, 100, 512])('the kernel computes what a loop does, at %i dimensions', dim => {
  const random = seededRandom(dim)
  const stride = Math.ceil(dim / 32) * 32
  const rows = 70
  const memory = sharedMemory(rows * stride * 5 + 16 * stride + 8 * rows)
  const { codes, floats } = kernelOver(memory)
  const codeRows = new Int8Array(memory.buffer, 0, rows * stride)
  const floatsAt = rows * stride
  const floatRows = new Float32Array(memory.buffer, floatsAt, rows * stride)
  const queryAt = 5 * rows * stride
  const [int16, float32] = [
    new Int16Array(memory.buffer, queryAt, dim),
    new Float32Array(memory.buffer, queryAt + 4 * stride, dim),
  ]
  const idsAt = queryAt + 8 * stride
  const ids = new Uint32Array(memory.buffer, idsAt, rows)
  const outAt = idsAt + 4 * rows
  for (let row = 0; row < rows; row++) {
    ids[row] = rows - 1 - row
    for (let i = 0; i < dim; i++) {
      codeRows[row * stride + i] = Math.floor(random() * 255) - 127
      floatRows[row * stride + i] = random() - 0.5
    }
  }
  for (let i = 0; i < dim; i++) {
    int16[i] = Math.floor(random() * 16_383) - 8191
    float32[i] = random() - 0.5
  }
  const sum = (row: number, values: ArrayLike<number>, query: ArrayLike<number>) =>
    Array.from({ length: dim }, (_, i) => values[row * stride + i]! * query[i]!).reduce((a, b) => a + b, 0)
  codes(queryAt, 0, stride, idsAt, rows, outAt)
  expect([...new Int32Array(memory.buffer, outAt, rows)]).toEqual(
    [...ids].map(row => sum(row, codeRows, int16)),
  )
  floats(queryAt + 4 * stride, floatsAt, 4 * stride, idsAt, rows, outAt)
  for (const [i, value] of new Float32Array(memory.buffer, outAt, rows).entries())
    expect(value).toBeCloseTo(sum(ids[i]!, floatRows, float32), 4)
})

test.each([8, 100, 512])('codes are the nearest that the scale allows, at %i dimensions', dim => {
  const random = seededRandom(dim)
  const length = floatStride(dim)
  const memory = sharedMemory(5 * length + 32)
  const floats = new Float32Array(memory.buffer, 0, length)
  const codes = new Int8Array(memory.buffer, 4 * length, length + 16)
  const scale = new Float32Array(memory.buffer, 5 * length + 16, 1)
  const { encode } = kernelOver(memory)
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < dim; i++) floats[i] = random() - 0.5
    encode(0, codes.byteOffset, length, scale.byteOffset)
    const largest = floats.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    expect(scale[0]).toBeCloseTo(largest / 127, 7)
    for (let i = 0; i < dim; i++)
      expect(Math.abs(floats[i]! - codes[i]! * scale[0]!)).toBeLessThan(0.501 * scale[0]!)
    expect([...codes.subarray(dim)].every(code => code === 0)).toBe(true)
  }
})
