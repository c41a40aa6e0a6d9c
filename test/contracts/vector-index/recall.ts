import type { IndexFilter, VectorIndex } from '@sightline/hub/index/vector-index.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entriesOf, nearUnit, randomUnit, seededRandom } from '../../support/vectors.ts'
import { byRank, expected, meanRecall, passing, recall } from './oracle.ts'
import { DIM, SEAL_AT, type Subject } from './subject.ts'

/** How much is found in graphs, with and without a filter. */
export function recallContract({ fresh, isExact }: Subject): void {
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
    const entries = entriesOf(Array.from({ length: 3 * SEAL_AT + 250 }, draw))
    const queries = Array.from({ length: 60 }, draw)
    let index: VectorIndex

    beforeAll(async () => {
      index = await fresh()
      for (let at = 0; at < entries.length; at += 250) {
        await index.add(entries.slice(at, at + 250))
        await index.settled()
      }
    })
    afterAll(() => index.close())

    test('recall@10 is at least 0.95', async () => {
      expect(index.stats().vectors).toBe(entries.length)
      expect(await meanRecall(index, entries, queries)).toBeGreaterThanOrEqual(isExact ? 1 : 0.95)
    })

    test.each<[string, IndexFilter]>([
      ['half', { sources: [0, 2, 4, 6, 8] }],
      ['a tenth', { sources: [3] }],
      ['a hundredth', { sources: [3], from: 1_000_000, to: 1_650_000 }],
      ['one', { from: 777_000, to: 777_001 }],
      ['none', { sources: [] }],
    ])('a filter that %s of the vectors pass', async (_share, filter) => {
      const all = passing(entries, filter)
      for (const query of queries.slice(0, 20)) {
        const hits = await index.search({ vector: query, k: 10, filter })
        const wanted = expected(entries, query, 10, filter)
        expect(hits.length).toBe(wanted.length)
        if (wanted.length > 0) expect(recall(hits, wanted)).toBeGreaterThanOrEqual(0.7)
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
}
