import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@sightline/core'
import { FlatIndex } from '@sightline/hub/index/flat-index.js'
import { openSegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import type { IndexEntry, IndexFilter, IndexHit, VectorIndex } from '@sightline/hub/index/vector-index.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pgliteIndexes } from '../support/pglite-sql.ts'
import { postgresIndexes } from '../support/postgres-server.ts'
import { entriesOf, nearUnit, randomUnit, seededRandom } from '../support/vectors.ts'

const DIM = 64
const SEAL_AT = 2000
const log = createLog({ name: 'test', level: 'silent' })

interface Implementation {
  readonly name: string
  /** `dir` belongs to this index alone; opening it again finds what it kept. */
  open(dir: string, dim: number): Promise<VectorIndex>
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined
  readonly start?: () => Promise<void>
  readonly stop?: () => Promise<void>
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'flat', open: async (_dir, dim) => new FlatIndex({ dim }) },
  {
    name: 'segments',
    open: (dir, dim) => openSegmentedIndex({ dir, dim, fingerprint: 'test:0', log, sealAt: SEAL_AT }),
  },
  { name: 'pgvector in PGlite', ...pgliteIndexes(SEAL_AT) },
  { name: 'pgvector in PostgreSQL', ...postgresIndexes(SEAL_AT) },
]

for (const { name, missing } of IMPLEMENTATIONS)
  if (missing !== undefined) process.stdout.write(`skipped: VectorIndex in ${name}: ${missing}\n`)

/** Every match, sorted: what the contract promises, in as few words as possible. */
function expected(
  entries: readonly IndexEntry[],
  query: Float32Array,
  k: number,
  filter: IndexFilter = {},
): IndexHit[] {
  const { sources, labels, ords, from = -Infinity, to = Infinity } = filter
  return entries
    .filter(
      entry =>
        (sources?.includes(entry.source) ?? true) &&
        (labels === undefined || entry.labels?.some(label => labels.includes(label))) &&
        (ords?.includes(entry.ord) ?? true) &&
        entry.capturedAt >= from &&
        entry.capturedAt < to,
    )
    .map(({ ord, capturedAt, vector }) => ({
      ord,
      capturedAt,
      similarity: vector.reduce((sum, value, i) => sum + value * query[i]!, 0),
    }))
    .sort(byRank)
    .slice(0, k)
}

function byRank(a: IndexHit, b: IndexHit): number {
  return b.similarity - a.similarity || b.capturedAt - a.capturedAt || b.ord - a.ord
}

function recall(found: readonly IndexHit[], wanted: readonly IndexHit[]): number {
  const ords = new Set(found.map(({ ord }) => ord))
  return wanted.filter(({ ord }) => ords.has(ord)).length / wanted.length
}

async function meanRecall(
  index: VectorIndex,
  entries: IndexEntry[],
  queries: Float32Array[],
  filter?: IndexFilter,
) {
  let sum = 0
  for (const query of queries)
    sum += recall(await index.search({ vector: query, k: 10, filter }), expected(entries, query, 10, filter))
  return sum / queries.length
}

const AT_HAND = IMPLEMENTATIONS.filter(({ missing }) => missing === undefined)

describe.each(AT_HAND)('VectorIndex: $name', ({ name, open, start, stop }) => {
  let root: string
  let opened = 0
  const fresh = (dim = DIM) => open(join(root, String(opened++)), dim)

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'sightline-index-'))
    await start?.()
  })
  afterAll(async () => {
    await stop?.()
    await rm(root, { recursive: true })
  })

  test('an empty index answers with nothing', async () => {
    const index = await fresh()
    expect(await index.search({ vector: randomUnit(DIM, seededRandom(1)), k: 5 })).toEqual([])
    expect(await index.ords(0, 9)).toEqual([])
    expect(await index.remove([1])).toBe(0)
    expect(index.lastOrd).toBe(0)
    expect(index.stats()).toMatchObject({ vectors: 0, tail: 0, segments: 0, dead: 0 })
    await index.close()
  })

  test('what was added is found at once, exactly, best first', async () => {
    const random = seededRandom(2)
    const entries = entriesOf(Array.from({ length: 300 }, () => randomUnit(DIM, random)))
    const index = await fresh()
    await index.add(entries)
    for (const query of Array.from({ length: 20 }, () => randomUnit(DIM, random))) {
      const hits = await index.search({ vector: query, k: 10 })
      const wanted = expected(entries, query, 10)
      expect(hits.map(hit => hit.ord)).toEqual(wanted.map(hit => hit.ord))
      for (const [i, hit] of hits.entries()) expect(hit.similarity).toBeCloseTo(wanted[i]!.similarity, 5)
    }
    await index.close()
  })

  test('k beyond the size gives everything; ties come newest first', async () => {
    const vector = randomUnit(DIM, seededRandom(3))
    const index = await fresh()
    await index.add(entriesOf([vector, vector, vector]))
    expect((await index.search({ vector: vector, k: 50 })).map(hit => hit.ord)).toEqual([3, 2, 1])
    expect((await index.search({ vector: vector, k: 2 })).map(hit => hit.ord)).toEqual([3, 2])
    await index.close()
  })

  test('equal scores come newest captured first, wherever they lie', async () => {
    const random = seededRandom(9)
    const vector = randomUnit(DIM, random)
    const noise = Array.from({ length: SEAL_AT }, () => randomUnit(DIM, random))
    const index = await fresh()
    // A backlog: what is stored later was captured earlier.
    const at = (ord: number, capturedAt: number): IndexEntry => ({ ord, vector, source: 1, capturedAt })
    await index.add([at(1, 300), at(2, 500), at(3, 300)])
    await index.add(entriesOf(noise, 4))
    await index.settled()
    await index.add([at(SEAL_AT + 4, 400), at(SEAL_AT + 5, 100)])
    const hits = await index.search({ vector, k: 5 })
    expect(hits.map(hit => hit.ord)).toEqual([2, SEAL_AT + 4, 3, 1, SEAL_AT + 5])
    expect(new Set(hits.map(hit => hit.similarity)).size).toBe(1)
    await index.close()
  })

  test('a query that is not a number, or not of unit length, is refused', async () => {
    const index = await fresh()
    const vector = randomUnit(DIM, seededRandom(10))
    await index.add(entriesOf([vector]))
    for (const bad of [vector.map(() => Number.NaN), vector.map(value => 2 * value)])
      await expect(index.search({ vector: bad, k: 1 })).rejects.toMatchObject({
        code: 'MODEL_OUTPUT_INVALID',
      })
    expect(await index.search({ vector, k: 0 })).toEqual([])
    await index.close()
  })

  test('ords that are not new are ignored', async () => {
    const random = seededRandom(4)
    const [a, b, c] = Array.from({ length: 3 }, () => randomUnit(DIM, random)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const index = await fresh()
    await index.add(entriesOf([a, b]))
    await index.add(entriesOf([c, c, c]))
    expect(index.lastOrd).toBe(3)
    expect((await index.search({ vector: a, k: 10 })).map(hit => hit.ord).sort()).toEqual([1, 2, 3])
    expect((await index.search({ vector: a, k: 1 }))[0]).toMatchObject({ ord: 1 })
    await index.close()
  })

  test('vectors of another length or not of unit length are refused, and with them their whole batch', async () => {
    const index = await fresh()
    const random = seededRandom(5)
    const good = randomUnit(DIM, random)
    const batch = (bad: Float32Array) => index.add(entriesOf([good, bad]))
    await expect(batch(randomUnit(DIM / 2, random))).rejects.toMatchObject({ code: 'MODEL_DIM_MISMATCH' })
    await expect(batch(good.map(() => Number.NaN))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    await expect(batch(good.map(value => 2 * value))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    expect(index.stats().vectors).toBe(0)
    await expect(index.search({ vector: randomUnit(DIM / 2, random), k: 1 })).rejects.toMatchObject({
      code: 'MODEL_DIM_MISMATCH',
    })
    await index.close()
  })

  describe.each([
    ['random', 0],
    ['clustered', 0.8],
  ] as const)('%s vectors, three times as many as are sealed at once', (kind, spread) => {
    const random = seededRandom(6)
    const centres = Array.from({ length: 40 }, () => randomUnit(DIM, random))
    const draw = () =>
      kind === 'random'
        ? randomUnit(DIM, random)
        : nearUnit(centres[Math.floor(random() * 40)]!, spread, random)
    const entries = entriesOf(Array.from({ length: 3 * SEAL_AT + 500 }, draw))
    const queries = Array.from({ length: 60 }, draw)
    let index: VectorIndex

    beforeAll(async () => {
      index = await fresh()
      for (let at = 0; at < entries.length; at += 500) {
        await index.add(entries.slice(at, at + 500))
        await index.settled()
      }
    })
    afterAll(() => index.close())

    test('recall@10 is at least 0.95', async () => {
      expect(index.stats().vectors).toBe(entries.length)
      expect(await meanRecall(index, entries, queries)).toBeGreaterThanOrEqual(name === 'flat' ? 1 : 0.95)
    })

    test.each<[string, IndexFilter]>([
      ['half', { sources: [0, 2, 4, 6, 8] }],
      ['a tenth', { sources: [3] }],
      ['a hundredth', { sources: [3], from: 1_000_000, to: 1_650_000 }],
      ['one', { from: 777_000, to: 777_001 }],
      ['none', { sources: [] }],
    ])('a filter that %s of the vectors pass', async (_share, filter) => {
      for (const query of queries.slice(0, 20)) {
        const hits = await index.search({ vector: query, k: 10, filter })
        const wanted = expected(entries, query, 10, filter)
        expect(hits.length).toBe(wanted.length)
        if (wanted.length > 0) expect(recall(hits, wanted)).toBeGreaterThanOrEqual(0.7)
        const all = new Set(expected(entries, query, entries.length, filter).map(hit => hit.ord))
        expect(hits.every(hit => all.has(hit.ord))).toBe(true)
      }
      if (filter.sources?.length !== 0)
        expect(await meanRecall(index, entries, queries, filter)).toBeGreaterThanOrEqual(0.95)
    })

    test('exactly asked, it answers exactly', async () => {
      for (const query of queries.slice(0, 10)) {
        const hits = await index.search({ vector: query, k: 20, exact: true })
        expect(hits.map(hit => hit.ord)).toEqual(expected(entries, query, 20).map(hit => hit.ord))
      }
    })

    test('a large k comes back in full, in order, each vector once', async () => {
      const hits = await index.search({ vector: queries[0]!, k: 1000 })
      expect(new Set(hits.map(hit => hit.ord)).size).toBe(1000)
      expect([...hits].sort(byRank)).toEqual(hits)
    })
  })

  describe('filters by what is rare, in clusters', () => {
    const random = seededRandom(12)
    const centres = Array.from({ length: 60 }, () => randomUnit(DIM, random))
    const COUNT = 5 * SEAL_AT + 700
    const HALF = 1
    const TWENTIETH = 2
    const RARE = 3
    const SINGLE = 4
    /** Label 9: a cluster that is filtered by is far from most queries, the worst case for a graph. */
    const CLUSTER = 9
    const entries = Array.from({ length: COUNT }, (_, i): IndexEntry => {
      const centre = Math.floor(random() * centres.length)
      const draw = random()
      return {
        ord: i + 1,
        vector: nearUnit(centres[centre]!, 0.7, random),
        source: i % 7,
        capturedAt: 1000 * i,
        labels: [
          0,
          ...(draw < 0.5 ? [HALF] : []),
          ...(draw < 0.05 ? [TWENTIETH] : []),
          ...(draw < 0.005 ? [RARE] : []),
          ...(i === 4321 ? [SINGLE] : []),
          ...(centre === 0 ? [CLUSTER] : []),
        ],
      }
    })
    const queries = Array.from({ length: 40 }, () =>
      nearUnit(centres[Math.floor(random() * centres.length)]!, 0.7, random),
    )
    let index: VectorIndex
    beforeAll(async () => {
      index = await fresh()
      for (let at = 0; at < COUNT; at += SEAL_AT) {
        await index.add(entries.slice(at, at + SEAL_AT))
        await index.settled()
      }
    })
    afterAll(() => index.close())

    test.each<[string, IndexFilter]>([
      ['50 %', { labels: [HALF] }],
      ['5 %', { labels: [TWENTIETH] }],
      ['0.5 %', { labels: [RARE] }],
      ['0.01 %', { labels: [SINGLE] }],
      ['one of two labels', { labels: [RARE, SINGLE] }],
      ['a cluster', { labels: [CLUSTER] }],
      ['half and a source', { labels: [HALF], sources: [3] }],
      ['a stretch of time and sources', { from: 2_000_000, to: 6_000_000, sources: [1, 2, 3] }],
      ['some entries', { ords: [17, 4000, 9000, COUNT] }],
      ['some entries of a source', { ords: [17, 4000, 9000, COUNT], sources: [entries[3999]!.source] }],
      ['everything', { labels: [0] }],
      ['a label that nobody has', { labels: [77] }],
      ['no label', { labels: [] }],
      ['no entry', { ords: [] }],
    ])(
      '%s: only what passes, all of it when it is little, recall@10 at least 0.95',
      async (_name, filter) => {
        const passing = new Set(expected(entries, queries[0]!, COUNT, filter).map(hit => hit.ord))
        for (const query of queries.slice(0, 10)) {
          const hits = await index.search({ vector: query, k: 10, filter })
          expect(hits.length).toBe(Math.min(10, passing.size))
          expect(hits.every(hit => passing.has(hit.ord))).toBe(true)
        }
        if (passing.size > 0)
          expect(await meanRecall(index, entries, queries, filter)).toBeGreaterThanOrEqual(0.95)
      },
    )
  })

  test('what is removed is not found, is not counted and does not come back', async () => {
    const random = seededRandom(13)
    const entries = entriesOf(Array.from({ length: 2 * SEAL_AT + 300 }, () => randomUnit(DIM, random)))
    const index = await fresh()
    await index.add(entries.slice(0, 2 * SEAL_AT))
    await index.settled()
    await index.add(entries.slice(2 * SEAL_AT))
    const gone = (ord: number) => ord % 3 === 0 || (ord > 100 && ord < 1500)
    const ords = entries.map(entry => entry.ord).filter(gone)
    expect(await index.remove([...ords, 999_999])).toBe(ords.length)
    expect(await index.remove(ords)).toBe(0)
    const left = entries.filter(entry => !gone(entry.ord))
    const check = async () => {
      expect(index.stats().vectors).toBe(left.length)
      for (const query of entries.filter((_, i) => i % 211 === 0).map(entry => entry.vector)) {
        const hits = await index.search({ vector: query, k: 10 })
        expect(hits.some(hit => gone(hit.ord))).toBe(false)
        expect(recall(hits, expected(left, query, 10))).toBeGreaterThanOrEqual(0.7)
      }
    }
    await check()
    await index.settled()
    await check()
    await index.add(entries)
    await check()
    const listed: number[] = []
    for (let page = await index.ords(0, 500); page.length > 0; page = await index.ords(page.at(-1)!, 500))
      listed.push(...page)
    expect(listed).toEqual(left.map(entry => entry.ord))
    await index.remove(left.map(entry => entry.ord))
    await index.settled()
    expect(await index.search({ vector: entries[0]!.vector, k: 5 })).toEqual([])
    expect(index.stats().vectors).toBe(0)
    expect(index.lastOrd).toBe(entries.length)
    await index.close()
  })

  test('searches while vectors are added see each of them exactly once', async () => {
    const random = seededRandom(7)
    const entries = entriesOf(Array.from({ length: 3 * SEAL_AT }, () => randomUnit(DIM, random)))
    const index = await fresh()
    for (let at = 0; at < entries.length; at += 100) {
      await index.add(entries.slice(at, at + 100))
      const last = entries[at + 99]!
      const hits = await index.search({ vector: last.vector, k: at + 100 })
      expect(hits[0]!.ord).toBe(last.ord)
      expect(hits.length).toBe(at + 100)
      expect(new Set(hits.map(hit => hit.ord)).size).toBe(at + 100)
    }
    await index.settled()
    expect(index.stats().vectors).toBe(entries.length)
    await index.close()
  })

  test('closed and opened again, it is complete once the entries after lastOrd were added', async () => {
    const random = seededRandom(8)
    const entries = entriesOf(Array.from({ length: 2 * SEAL_AT + 100 }, () => randomUnit(DIM, random)))
    const dir = join(root, 'reopened')
    const first = await open(dir, DIM)
    await first.add(entries)
    await first.settled()
    await first.close()
    const second = await open(dir, DIM)
    expect(second.lastOrd).toBeLessThanOrEqual(entries.length)
    await second.add(entries.filter(entry => entry.ord > second.lastOrd))
    expect(second.stats().vectors).toBe(entries.length)
    for (const entry of entries.filter((_, i) => i % 97 === 0))
      expect((await second.search({ vector: entry.vector, k: 1 }))[0]!.ord).toBe(entry.ord)
    await second.close()
    await second.close()
  })
})
