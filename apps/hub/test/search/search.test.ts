import { dot, fault } from '@sightline/core'
import { calibrate } from '@sightline/hub/search/calibration.js'
import type { Search, SearchOptions } from '@sightline/hub/search/search.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FrameSource } from '../../../../test/support/stored-frames.ts'
import { nearUnit, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { openSearchable, type Searchable } from './searchable.ts'

const DIM = 16
const random = seededRandom(41)
const cat = randomUnit(DIM, random)
const dog = randomUnit(DIM, random)

/** Knows two words and pictures of one byte. */
const model = {
  fingerprint: 'test:000000000000',
  dim: DIM,
  manifest: { name: 'test', logitScale: 16 },
  encodeTexts: async (texts: readonly string[]) =>
    texts.map(text => {
      if (text.trim() === '') throw fault('TEXT_INVALID', 'empty')
      return (text === 'cat' ? cat : dog).slice()
    }),
  encodeImages: async (images: readonly Uint8Array[]) =>
    images.map(([kind]) => (kind === 1 ? cat : dog).slice()),
} as unknown as SearchOptions['model']

let searchable: Searchable
let store: RecordStore
let ingest: FrameSource
let search: Search

beforeAll(async () => {
  searchable = await openSearchable({ model })
  ;({ store, ingest, search } = searchable)
  // Ords 1 to 100: every tenth is a cat, the first of them on the yard.
  for (let i = 1; i <= 100; i++) {
    const vector = nearUnit(i % 10 === 0 ? cat : dog, 0.5, random)
    await ingest.store([{ vector, camera: i <= 10 ? 'yard' : 'lobby', capturedAt: 1000 * i }])
  }
})
afterAll(() => searchable.close())

test('words find the frames that match, best first, with similarity and score', async () => {
  const { hits, tookMs, model: used } = await search.search({ text: 'cat', limit: 10 })
  expect(hits.map(hit => hit.frame.ord).sort((a, b) => a - b)).toEqual([
    10, 20, 30, 40, 50, 60, 70, 80, 90, 100,
  ])
  for (const [i, { frame, similarity, score }] of hits.entries()) {
    expect(similarity).toBeCloseTo(dot(store.frame(frame.id)!.vector, cat), 5)
    expect(score).toBeGreaterThan(0.5)
    if (i > 0) expect(similarity).toBeLessThanOrEqual(hits[i - 1]!.similarity)
  }
  expect(tookMs).toBeGreaterThan(0)
  expect(used).toEqual({ name: 'test', fingerprint: 'test:000000000000' })
})

test('a picture, a vector of any length and words ask the same question', async () => {
  const ords = async (query: Parameters<Search['search']>[0]) =>
    (await search.search(query)).hits.map(hit => hit.frame.ord)
  const wanted = await ords({ text: 'cat' })
  expect(await ords({ image: Uint8Array.of(1) })).toEqual(wanted)
  expect(await ords({ vector: cat.map(value => 7 * value) })).toEqual(wanted)
})

test('more like this leaves the frame itself out', async () => {
  const frame = store.frameByOrd(50)!
  const { hits } = await search.search({ id: frame.id, limit: 9 })
  expect(hits.map(hit => hit.frame.ord).sort((a, b) => a - b)).toEqual([10, 20, 30, 40, 60, 70, 80, 90, 100])
  const all = await search.search({ id: frame.id, limit: 200 })
  expect(all.hits).toHaveLength(99)
})

test('a tag narrows to the frames that have it, at once when it is given or taken', async () => {
  const idOf = (ord: number) => store.frameByOrd(ord)!.id
  const change = { frames: [10, 20, 21, 33].map(idOf), add: ['case 12'], remove: [] }
  const ords = async (query: Parameters<Search['search']>[0]) =>
    (await search.search({ text: 'cat', ...query })).hits.map(hit => hit.frame.ord)
  const tagged = { filter: { tag: 'case 12' }, facets: true }
  expect(await ords(tagged)).toEqual([])
  await searchable.tags.change(change, 'cli')
  expect((await ords(tagged)).sort((a, b) => a - b)).toEqual([10, 20, 21, 33])
  expect((await ords({ ...tagged, exact: true })).sort((a, b) => a - b)).toEqual([10, 20, 21, 33])
  expect(await ords({ filter: { tag: 'case 12', camera: 'yard' } })).toEqual([10])
  expect(await ords({ filter: { tag: 'case 12', scope: ['site/node/yard'] } })).toEqual([10])
  const { facets } = await search.search({ text: 'cat', limit: 1, facets: true })
  expect(facets?.tag).toEqual([{ value: 'case 12', count: 4 }])
  await searchable.tags.change({ ...change, add: [], remove: ['case 12'] }, 'cli')
  expect(await ords(tagged)).toEqual([])
})

test('filters apply inside: as many hits as asked for, when that many match', async () => {
  const { hits } = await search.search({ text: 'cat', limit: 10, filter: { camera: 'yard' } })
  expect(hits).toHaveLength(10)
  expect(hits[0]!.frame.ord).toBe(10)
  const late = await search.search({ text: 'cat', filter: { from: 90_000, to: 100_000 } })
  expect(late.hits.map(hit => hit.frame.ord).sort((a, b) => a - b)).toEqual([
    90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
  ])
})

test('minScore leaves out what does not match', async () => {
  const { hits } = await search.search({ text: 'cat', limit: 100, minScore: 0.5 })
  expect(hits.length).toBeGreaterThanOrEqual(10)
  expect(hits.length).toBeLessThan(40)
  expect(hits.every(hit => hit.score >= 0.5)).toBe(true)
})

describe('what cannot be answered is refused with a code', () => {
  const cases: readonly [string, Parameters<Search['search']>[0], string][] = [
    ['no words', { text: ' ' }, 'TEXT_INVALID'],
    ['an unknown frame', { id: 'site~node~session~1' }, 'API_NOT_FOUND'],
    ['a vector of another length', { vector: randomUnit(DIM + 1, random) }, 'MODEL_DIM_MISMATCH'],
    ['a vector of zeros', { vector: new Float32Array(DIM) }, 'API_BAD_REQUEST'],
    ['a vector with NaN', { vector: cat.map(() => Number.NaN) }, 'API_BAD_REQUEST'],
    ['limit 0', { text: 'cat', limit: 0 }, 'API_BAD_REQUEST'],
    ['limit 201', { text: 'cat', limit: 201 }, 'API_BAD_REQUEST'],
    ['half a limit', { text: 'cat', limit: 1.5 }, 'API_BAD_REQUEST'],
  ]
  test.each(cases)('%s', async (_name, query, code) => {
    await expect(search.search(query)).rejects.toMatchObject({ code })
  })

  test('a frame of another model', async () => {
    const { frames } = await ingest.store([{ vector: cat, fingerprint: 'old:000000000000' }])
    await expect(search.search({ id: frames[0]!.id })).rejects.toMatchObject({ code: 'MODEL_DIM_MISMATCH' })
  })

  test('more searches at once than are allowed', async () => {
    const all = await Promise.allSettled(Array.from({ length: 80 }, () => search.search({ text: 'cat' })))
    const refused = all.filter(one => one.status === 'rejected')
    expect(refused.length).toBe(16)
    expect(refused.every(one => one.reason.code === 'API_BUSY')).toBe(true)
    expect((await search.search({ text: 'cat' })).hits).not.toHaveLength(0)
  })
})

test('the score is the softmax against the mean of the background, at any scale', () => {
  const background = Array.from({ length: 40 }, () => randomUnit(DIM, random))
  for (const logitScale of [1, 16, 100, 100_000]) {
    const probability = calibrate(cat, background, logitScale).score
    const mean = background.reduce((sum, v) => sum + Math.exp(logitScale * (dot(v, cat) - 1)), 0) / 40
    for (const s of [-1, 0, 0.3, 1]) {
      const e = Math.exp(logitScale * (s - 1))
      const direct = e / (e + mean)
      if (Number.isFinite(direct)) expect(probability(s)).toBeCloseTo(direct, 6)
      expect(probability(s)).toBeGreaterThanOrEqual(0)
      expect(probability(s)).toBeLessThanOrEqual(1)
    }
  }
  expect(calibrate(cat, [], 16).score(0.9)).toBe(0.5)
  expect(calibrate(cat, [cat], 16).score(1)).toBeCloseTo(0.5, 6)
})
