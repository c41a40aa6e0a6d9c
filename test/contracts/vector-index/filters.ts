import type { IndexEntry, IndexFilter, VectorIndex } from '@sightline/hub/index/vector-index.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nearUnit, randomUnit, seededRandom } from '../../support/vectors.ts'
import { meanRecall, passing } from './oracle.ts'
import { DIM, SEAL_AT, type Subject } from './subject.ts'

/** Filters that let through much, little and nothing. */
export function filterContract({ fresh }: Subject): void {
  describe('filters by what is rare, in clusters', () => {
    const random = seededRandom(12)
    const centres = Array.from({ length: 60 }, () => randomUnit(DIM, random))
    const COUNT = 5 * SEAL_AT + 350
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
          ...(i === 2160 ? [SINGLE] : []),
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
      ['0.02 %', { labels: [SINGLE] }],
      ['one of two labels', { labels: [RARE, SINGLE] }],
      ['a cluster', { labels: [CLUSTER] }],
      ['half and a source', { labels: [HALF], sources: [3] }],
      ['a stretch of time and sources', { from: 1_000_000, to: 3_000_000, sources: [1, 2, 3] }],
      ['some entries', { ords: [17, 2000, 4500, COUNT] }],
      ['some entries of a source', { ords: [17, 2000, 4500, COUNT], sources: [entries[1999]!.source] }],
      ['everything', { labels: [0] }],
      ['a label that nobody has', { labels: [77] }],
      ['no label', { labels: [] }],
      ['no entry', { ords: [] }],
    ])(
      '%s: only what passes, all of it when it is little, recall@10 at least 0.95',
      async (_name, filter) => {
        const all = passing(entries, filter)
        for (const query of queries.slice(0, 10)) {
          const hits = await index.search({ vector: query, k: 10, filter })
          expect(hits.length).toBe(Math.min(10, all.size))
          expect(hits.every(hit => all.has(hit.ord))).toBe(true)
        }
        if (all.size > 0)
          expect(await meanRecall(index, entries, queries, filter)).toBeGreaterThanOrEqual(0.95)
      },
    )
  })
}
