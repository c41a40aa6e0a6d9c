import { statSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { createLog } from '@sightline/core'
import { FlatIndex } from '@sightline/hub/index/flat-index.js'
import { openSegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import hnswlib from 'hnswlib-node'
import { type ClusteredSet, clusteredSet } from './clusters.ts'
import {
  type BenchOptions,
  type Comparison,
  compareCost,
  type Figure,
  interleave,
  percentile,
  type Section,
} from './measure.ts'
import { number } from './report.ts'
import { coldStart, entryOf, filtered, ingestWhileSearching } from './search-life.ts'
import { besidePostgres } from './search-postgres.ts'

const DIM = 512
const K = 10
/** What somebody who uses hnswlib-node by itself starts with; its ef is raised until it finds as much. */
const BARE = { m: 16, efConstruction: 100, ef: 64 }
/** Vectors that arrive before the index is given time to build: its own threshold, as on a hub that keeps up. */
const PORTION = 4096
/** The same for a million, which would take hours otherwise: a backlog that is caught up with. */
const LARGE_PORTION = 65_536
const SEARCHERS = 4
const MAX_EF = 4096
const ENOUGH_RECALL = 0.99

type Contestant = 'segments' | 'flat' | 'bare'
type Search = (query: Float32Array) => Promise<readonly number[]>

/** Nearest neighbours: speed, recall and what a search does to everybody else on the event loop. */
export async function search({ quick, large, dir }: BenchOptions): Promise<Section> {
  const sizes = quick ? [5_000] : [10_000, 100_000, ...(large ? [1_000_000] : [])]
  const comparisons: Comparison[] = []
  const figures: Figure[] = []
  for (const size of sizes) {
    const set = clusteredSet(size, quick ? 20 : 200, DIM)
    const part = await ofSize(set, join(dir, String(size)))
    comparisons.push(...part.comparisons)
    figures.push(...part.figures)
  }
  return {
    title: 'Search',
    comparisons,
    figures,
    notes: [
      `Seeded ${DIM}-d unit vectors: 32 topics, scenes around a topic (cosine about 0.78), 50 frames a scene in a row (about 0.92), queries farther from a scene than its frames are (about 0.74). k = ${K}; recall is measured against the exact answer. One search at a time; each query is asked of all three, in turn.`,
      `Sightline: \`SegmentedIndex\` with default settings, filled at the pace at which it builds (a million: in portions of ${LARGE_PORTION}), searched in worker threads. Flat: \`FlatIndex\`, exact, on the event loop, pausing between slices. hnswlib-node: one graph of all vectors, M ${BARE.m}, efConstruction ${BARE.efConstruction}, ef doubled from ${BARE.ef} until its recall is that of Sightline, or ${ENOUGH_RECALL} where that is higher, or ef is ${MAX_EF}; called directly, which blocks the event loop.`,
      `Event loop: the longest and the 99th percentile of its delay (\`monitorEventLoopDelay\`, resolution 1 ms, which alone shows about 1 ms) while ${SEARCHERS} searchers are busy.`,
      'pgvector: where SIGHTLINE_POSTGRES_URL names a server, `PostgresIndex` with default settings, the same queries in turn with Sightline.',
      'Filters: labels drawn evenly over all vectors, so that a scene is not all in or all out; time in the order of storage.',
    ],
  }
}

async function ofSize(
  { vectors, queries }: ClusteredSet,
  dir: string,
): Promise<Pick<Section, 'comparisons' | 'figures'>> {
  const log = createLog({ name: 'bench', level: 'silent' })
  const open = () => openSegmentedIndex({ dir, dim: DIM, fingerprint: 'bench:000000000000', log })
  const segments = await open()
  const flat = new FlatIndex({ dim: DIM })
  const bare = new hnswlib.HierarchicalNSW('ip', DIM)
  bare.initIndex({
    maxElements: vectors.length,
    m: BARE.m,
    efConstruction: BARE.efConstruction,
    randomSeed: 20,
  })
  try {
    const portion = vectors.length > 500_000 ? LARGE_PORTION : PORTION
    for (let from = 0; from < vectors.length; from += portion) {
      const entries = vectors.slice(from, from + portion).map((vector, i) => entryOf(vector, from + i))
      await segments.add(entries)
      await flat.add(entries)
      for (const { vector, ord } of entries) {
        bare.addPoint(Array.from(vector), ord)
        if (ord % 64 === 0) await turn()
      }
      await segments.settled()
    }
    const contestants: Record<Contestant, Search> = {
      segments: async query => (await segments.search({ vector: query, k: K })).map(hit => hit.ord),
      flat: async query => (await flat.search({ vector: query, k: K })).map(hit => hit.ord),
      bare: async query => bare.searchKnn(Array.from(query), K).neighbors,
    }
    const { segments: count, tail, bytes } = segments.stats()
    const size = vectors.length.toLocaleString('en-GB')
    const what = `${size} vectors (${count} segments, tail ${tail})`
    const { comparisons, figures } = await contest(contestants, bare, queries, what)
    const pgvector = await besidePostgres({
      segments,
      entries: vectors.map(entryOf),
      queries,
      k: K,
      what,
    })
    const life = [
      bytesFigure(bytes / vectors.length, bare, { path: `${dir}/bare`, count: vectors.length }),
      ...(await filtered(segments, queries, { k: K, size: vectors.length })),
      ...(await ingestWhileSearching(segments, vectors, queries)),
    ]
    await segments.close()
    life.push(await coldStart(open, queries[0]!))
    return {
      comparisons: [...comparisons, ...pgvector],
      figures: [...figures, ...life.map(figure => ({ ...figure, what: `${size} vectors: ${figure.what}` }))],
    }
  } finally {
    await segments.close()
    await flat.close()
  }
}

/** What a graph file holds is what hnswlib has in memory. */
function bytesFigure(
  ours: number,
  bare: hnswlib.HierarchicalNSW,
  { path, count }: { path: string; count: number },
): Figure {
  bare.writeIndexSync(path)
  return {
    what: 'Memory a vector, tail included',
    value: `Sightline ${number(ours)} bytes, hnswlib-node ${number(statSync(path).size / count)} bytes`,
  }
}

async function contest(
  contestants: Record<Contestant, Search>,
  graph: hnswlib.HierarchicalNSW,
  queries: readonly Float32Array[],
  what: string,
): Promise<Pick<Section, 'comparisons' | 'figures'>> {
  const exact = await answers(contestants.flat, queries)
  const found = recallOf(await answers(contestants.segments, queries), exact)
  const { ef, recall } = await efForRecall(contestants.bare, graph, {
    queries,
    exact,
    wanted: Math.min(found, ENOUGH_RECALL),
  })
  let asked = 0
  // The rotation asks each contestant once a round, so the round is the query.
  const ask = (name: Contestant) => () =>
    contestants[name](queries[Math.floor(asked++ / 3) % queries.length]!)
  const times = await interleave(
    { segments: ask('segments'), flat: ask('flat'), bare: ask('bare') },
    queries.length,
  )
  const shared = { ours: times.segments, items: 1, unit: 'ms (P50)', what }
  const beside = `bare hnswlib-node, ef ${ef}: recall ${recall.toFixed(4)}, ours ${found.toFixed(4)}`
  const p95 = (name: Contestant) => percentile(times[name], 95)
  return {
    comparisons: [
      compareCost({ ...shared, theirs: times.flat, beside: 'flat, exact, in JavaScript' }),
      compareCost({ ...shared, theirs: times.bare, beside }),
    ],
    figures: [
      {
        what: `${what}: P95`,
        value: `Sightline ${number(p95('segments'))} ms, flat ${number(p95('flat'))} ms, hnswlib-node ${number(p95('bare'))} ms; ${number(p95('segments') / p95('bare'))} times hnswlib-node`,
        target: '<= 1.3 times hnswlib-node at equal recall',
      },
      {
        what: `${what}: recall@${K}`,
        value: `Sightline ${found.toFixed(4)}, hnswlib-node with ef ${ef} ${recall.toFixed(4)}`,
        target: '>= 0.95',
      },
      {
        what: `${what}: event loop delay, P99 / longest`,
        value: await delays(contestants, queries),
        target: 'longest <= 20 ms',
      },
    ],
  }
}

/** Speed without recall is cheap. Enough is not all: the last few hits would cost the single graph a multiple. */
async function efForRecall(
  bare: Search,
  graph: hnswlib.HierarchicalNSW,
  {
    queries,
    exact,
    wanted,
  }: { queries: readonly Float32Array[]; exact: readonly (readonly number[])[]; wanted: number },
): Promise<{ ef: number; recall: number }> {
  for (let ef = BARE.ef; ; ef *= 2) {
    graph.setEf(ef)
    const recall = recallOf(await answers(bare, queries), exact)
    if (recall >= wanted || ef === MAX_EF) return { ef, recall }
  }
}

async function answers(search: Search, queries: readonly Float32Array[]): Promise<(readonly number[])[]> {
  const found: (readonly number[])[] = []
  for (const query of queries) found.push(await search(query))
  return found
}

function recallOf(found: readonly (readonly number[])[], exact: readonly (readonly number[])[]): number {
  const hits = exact.reduce((sum, truth, i) => {
    const got = new Set(found[i])
    return sum + truth.filter(ord => got.has(ord)).length
  }, 0)
  return hits / (exact.length * K)
}

async function delays(
  contestants: Record<Contestant, Search>,
  queries: readonly Float32Array[],
): Promise<string> {
  const parts: string[] = []
  for (const [name, label] of [
    ['segments', 'Sightline'],
    ['flat', 'flat'],
    ['bare', 'hnswlib-node'],
  ] as const) {
    const histogram = monitorEventLoopDelay({ resolution: 1 })
    let next = 0
    const searcher = async () => {
      while (next < queries.length) {
        await contestants[name](queries[next++]!)
        await turn()
      }
    }
    histogram.enable()
    await Promise.all(Array.from({ length: SEARCHERS }, searcher))
    histogram.disable()
    parts.push(`${label} ${number(histogram.percentile(99) / 1e6)} / ${number(histogram.max / 1e6)} ms`)
  }
  return parts.join(', ')
}
