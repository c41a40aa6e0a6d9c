import { dot, l2Normalize } from '@sightline/core'
import type { SearchQuery } from '@sightline/hub/search/query.js'
import type { Search, SearchOptions } from '@sightline/hub/search/search.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FrameSource } from '../../../../test/support/stored-frames.ts'
import { nearUnit, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { openSearchable, type Searchable } from './searchable.ts'

const DIM = 32
const HOUR = 3_600_000
const NOW = Date.UTC(2026, 0, 10)
const random = seededRandom(7)
const words: Record<string, Float32Array> = {
  cat: randomUnit(DIM, random),
  dog: randomUnit(DIM, random),
  snow: randomUnit(DIM, random),
}
let encoded = 0
const model = {
  fingerprint: 'test:000000000000',
  dim: DIM,
  manifest: { name: 'test', logitScale: 16 },
  encodeTexts: async ([text]: readonly string[]) => {
    encoded++
    return [words[text!]!.slice()]
  },
} as unknown as SearchOptions['model']

let searchable: Searchable
let store: RecordStore
let ingest: FrameSource
let search: Search

beforeAll(async () => {
  searchable = await openSearchable({ model, clock: { now: () => NOW } })
  ;({ store, ingest, search } = searchable)
  const subjects = [
    words.cat!,
    words.dog!,
    words.snow!,
    l2Normalize(words.cat!.map((v, i) => v + words.snow![i]!)),
  ]
  for (let i = 0; i < 400; i++)
    await ingest.store([
      {
        vector: nearUnit(subjects[i % 4]!, 0.4, random),
        camera: ['yard', 'lobby', 'gate'][i % 3]!,
        capturedAt: NOW - (400 - i) * HOUR,
      },
    ])
})
afterAll(() => searchable.close())

async function pages(query: SearchQuery, between: () => Promise<unknown> = async () => {}) {
  const ords: number[] = []
  let cursor: string | undefined
  for (let page = 0; page < 100; page++) {
    const answer = await search.search({ ...query, cursor })
    ords.push(...answer.hits.map(hit => hit.frame.ord))
    if (answer.nextCursor === null) return ords
    cursor = answer.nextCursor
    await between()
  }
  return expect.fail('pages without end')
}

describe('pages', () => {
  test('show every frame once, in order, while better ones come in', async () => {
    const wanted = await pages({ text: 'cat', limit: 200 })
    expect(new Set(wanted).size).toBe(store.lastOrd())
    const better = () => ingest.store([{ vector: nearUnit(words.cat!, 0.05, random), capturedAt: NOW }])
    const paged = await pages({ text: 'cat', limit: 37 }, better)
    expect(paged).toEqual(wanted)
  })

  test.each([
    ['time decay', { timeDecay: { halfLifeHours: 100 } }],
    ['a half-life of next to nothing', { timeDecay: { halfLifeHours: Number.MIN_VALUE } }],
    ['variety', { diversity: { lambda: 0.6 } }],
    ['a filter and a score', { filter: { camera: 'yard' }, minScore: 0.3 }],
  ])('with %s repeat nothing', async (_name, how) => {
    const whole = await pages({ text: 'cat', limit: 200, ...how })
    const paged = await pages({ text: 'cat', limit: 23, ...how })
    expect(new Set(paged).size).toBe(paged.length)
    expect(paged).toEqual(whole)
  })

  test.each(['nonsense', Buffer.from('{"a":1}').toString('base64url')])(
    'refuse the cursor %s',
    async cursor => {
      await expect(search.search({ text: 'cat', cursor })).rejects.toMatchObject({ code: 'API_BAD_REQUEST' })
    },
  )

  test('refuse the cursor of another query', async () => {
    const { nextCursor } = await search.search({ text: 'cat', limit: 5 })
    await expect(search.search({ text: 'dog', limit: 5, cursor: nextCursor! })).rejects.toMatchObject({
      code: 'API_BAD_REQUEST',
    })
  })
})

test('a negative takes away what shows it; contributions add up to the similarity', async () => {
  const mixtures = async (query: SearchQuery) =>
    (await search.search({ limit: 150, ...query })).hits.filter(
      ({ frame }) => frame.ord % 4 === 0 && frame.ord <= 400,
    ).length
  expect(await mixtures({ text: 'cat' })).toBeGreaterThan(30)
  expect(await mixtures({ text: 'cat', negatives: [{ text: 'snow', weight: 1.5 }] })).toBeLessThan(10)
  const { hits } = await search.search({
    positives: [{ text: 'cat' }, { text: 'dog', weight: 0.5 }],
    negatives: [{ text: 'snow', weight: 0.3 }],
    explain: true,
  })
  for (const { similarity, contributions } of hits) {
    expect(contributions!.map(({ role, subject, weight }) => [role, subject, weight])).toEqual([
      ['positive', 'cat', 1],
      ['positive', 'dog', 0.5],
      ['negative', 'snow', 0.3],
    ])
    expect(contributions!.reduce((sum, each) => sum + each.contribution, 0)).toBeCloseTo(similarity, 5)
    expect(contributions!.reduce((sum, each) => sum + each.share, 0)).toBeCloseTo(1, 9)
  }
  const one = await search.explain({ text: 'cat', negatives: [{ text: 'snow' }] }, hits[0]!.frame.id)
  expect(one.contributions.reduce((sum, each) => sum + each.contribution, 0)).toBeCloseTo(one.similarity, 9)
})

test('time decay halves the odds of a match every half-life', async () => {
  const { hits } = await search.search({ text: 'cat', limit: 50, timeDecay: { halfLifeHours: 24 } })
  const odds = (score: number) => score / (1 - score)
  const calibration = search.calibration(words.cat!)
  for (const { frame, similarity, score, rank } of hits) {
    const halfLives = (NOW - frame.capturedAt) / (24 * HOUR)
    expect(odds(calibration.score(rank!))).toBeCloseTo(odds(score) / 2 ** halfLives, 4)
    expect(rank).toBeLessThanOrEqual(similarity)
  }
  const age = (list: typeof hits) => list.reduce((sum, { frame }) => sum + NOW - frame.capturedAt, 0)
  expect(age(hits)).toBeLessThan(age((await search.search({ text: 'cat', limit: 50 })).hits) / 2)
})

test('groups show their best frames, in the order of those', async () => {
  const { hits, groups } = await search.search({ text: 'dog', groupBy: 'camera', groupSize: 3 })
  expect(groups!.map(({ key }) => key).sort()).toEqual([
    'site/node/camera',
    'site/node/gate',
    'site/node/lobby',
    'site/node/yard',
  ])
  expect(groups!.reduce((sum, { frames }) => sum + frames, 0)).toBe(store.lastOrd())
  for (const { key, bestFrameId } of groups!) {
    const members = hits.filter(({ group }) => group === key)
    expect(members).toHaveLength(3)
    expect(members[0]!.frame.id).toBe(bestFrameId)
  }
  const days = await search.search({ text: 'dog', groupBy: 'day', limit: 200 })
  expect(new Set(days.hits.map(({ group }) => group)).size).toBe(days.hits.length)
  expect(
    days.hits.every(
      ({ frame, group }) => group!.slice(0, 10) === new Date(frame.capturedAt).toISOString().slice(0, 10),
    ),
  ).toBe(true)
})

test('facets count the candidates, and say whether these are all', async () => {
  const all = await search.search({ text: 'dog', limit: 1, facets: true })
  expect(all.total).toEqual({ value: store.lastOrd(), relation: 'eq' })
  const { site, node, camera, day, histogram } = all.facets!
  for (const facet of [site, node, camera, day, histogram.buckets])
    expect(facet.reduce((sum, { count }) => sum + count, 0)).toBe(store.lastOrd())
  expect(all.facets!.histogram.buckets.length).toBeLessThanOrEqual(61)
  const few = await search.search({ text: 'dog', limit: 10 })
  expect(few.total).toEqual({ value: 11, relation: 'gte' })
  expect(few.facets).toBeUndefined()
})

test('an answer is remembered until the index changes', async () => {
  const { hits: before } = search.cache.stats
  const [first, encodings] = [await search.search({ text: 'snow' }), encoded]
  const second = await search.search({ text: 'snow' })
  expect(second.hits).toEqual(first.hits)
  expect(encoded).toBe(encodings)
  expect(search.cache.stats.hits).toBe(before + 1)
  const { frames } = await ingest.store([{ vector: words.snow!, capturedAt: NOW }])
  expect((await search.search({ text: 'snow' })).hits[0]!.frame.id).toBe(frames[0]!.id)
})

test('variety: one picture that came a thousand times is one hit, and others follow', async () => {
  const scenes = Array.from({ length: 30 }, () => nearUnit(words.dog!, 0.6, random)).sort(
    (a, b) => dot(b, words.dog!) - dot(a, words.dog!),
  )
  for (let round = 0; round < 60; round++)
    await ingest.store(
      scenes.map((vector, i) => ({
        vector: nearUnit(vector, 0.01, random),
        camera: 'carousel',
        capturedAt: NOW + (round * 30 + i) * 1000,
      })),
    )
  const question = { text: 'dog', filter: { camera: 'carousel' }, limit: 24 }
  const different = (hits: readonly { frame: { id: string } }[]) =>
    new Set(
      hits.map(({ frame }) => scenes.findIndex(scene => dot(scene, store.frame(frame.id)!.vector) > 0.99)),
    ).size
  const plain = await search.search(question)
  expect(different(plain.hits)).toBeLessThan(4)
  const varied = await search.search({ ...question, diversity: { lambda: 1 } })
  expect(varied.hits).toHaveLength(24)
  expect(different(varied.hits)).toBe(24)
  expect(varied.hits[0]!.frame.id).toBe(plain.hits[0]!.frame.id)
  expect(varied.hits[0]!.alike).toBe(59)
})

test.each([
  ['variety', { diversity: { lambda: 0.5 } }],
  ['a score', { minScore: 0.2 }],
])(
  'what is typical changes as frames come in, and pages with %s still repeat and skip nothing',
  async (_name, how) => {
    const query = { text: 'cat', filter: { cameras: ['site/node/yard', 'site/node/lobby'] }, ...how }
    const whole = await pages({ ...query, limit: 200 })
    expect(whole.length).toBeGreaterThan(60)
    const others = () =>
      ingest.store(
        Array.from({ length: 60 }, () => ({ vector: nearUnit(words.dog!, 0.9, random), capturedAt: NOW })),
      )
    expect(await pages({ ...query, limit: 20 }, others)).toEqual(whole)
  },
)
