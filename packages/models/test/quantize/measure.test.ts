import { cosine, Reference, summarise } from '@sightline/models/quantize/measure.js'
import { spread } from '@sightline/models/quantize/pictures.js'
import { expect, test } from 'vitest'
import { residualNet } from '../support/graphs.ts'
import { pictureFeeds } from '../support/run.ts'

test('cosine, its edge cases included', () => {
  expect(cosine(Float32Array.of(1, 0), Float32Array.of(0, 2))).toBe(0)
  expect(cosine(Float32Array.of(1, 2), Float32Array.of(2, 4))).toBeCloseTo(1, 12)
  expect(cosine(new Float32Array(2), new Float32Array(2))).toBe(1)
  expect(cosine(Float32Array.of(1, 0), new Float32Array(2))).toBe(0)
  expect(cosine(Float32Array.of(1, 0), Float32Array.of(Number.NaN, 0))).toBe(0)
})

test('p1 is the nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, at) => at / 200)
  expect(summarise(values)).toMatchObject({ min: 0, p1: 1 / 200 })
  expect(summarise([0.5])).toEqual({ mean: 0.5, p1: 0.5, min: 0.5 })
})

test('a model agrees with itself entirely, also when centred; another one does not', async () => {
  const source = { model: residualNet(), dir: '/' }
  const samples = Array.from({ length: 10 }, (_, seed) => pictureFeeds(seed))
  const reference = await Reference.of(source, samples)
  const same = await reference.compare(source)
  expect(same.mean).toBeCloseTo(1, 6)
  expect(same.centred).toBeCloseTo(1, 4)
  expect(same.neighbours).toBe(1)
  expect((await reference.compare(source, 3)).centred).toBeNull()

  // A constant added to every embedding: the plain cosine sees it, the order of neighbours need not.
  const graph = source.model.graph!
  const [bias] = graph.initializer!.filter(({ name }) => name === 'b4')
  const other = { ...bias!, rawData: new Uint8Array(new Float32Array(32).fill(3).buffer) }
  const initializer = graph.initializer!.map(tensor => (tensor === bias ? other : tensor))
  const shifted = await reference.compare({
    ...source,
    model: { ...source.model, graph: { ...graph, initializer } },
  })
  expect(shifted.mean).toBeLessThan(0.9)
})

test('samples are spread over the whole list', () => {
  const items = Array.from({ length: 100 }, (_, at) => at)
  expect(spread(items, 4)).toEqual([12, 37, 62, 87])
  expect(spread(items, 200)).toEqual(items)
  expect(new Set(spread(items, 99)).size).toBe(99)
})
