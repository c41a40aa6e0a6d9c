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

const DIM = 512
const K = 10
/** What the segments are built and searched with. */
const GRAPH = { m: 16, efConstruction: 100, ef: 128 }
/** Vectors that arrive before the index is given time to seal: its own threshold, as on a hub that keeps up. */
const PORTION = 4096
const SEARCHERS = 4
const MAX_EF = 4096
const ENOUGH_RECALL = 0.99

type Contestant = 'segments' | 'flat' | 'bare'
type Search = (query: Float32Array) => Promise<readonly number[]>

/** Nearest neighbours: speed, recall and what a search does to everybody else on the event loop. */
export async function search({ quick, dir }: BenchOptions): Promise<Section> {
  const sizes = quick ? [5_000] : [10_000, 100_000]
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
      `Sightline: \`SegmentedIndex\` with default settings, filled at the pace at which it seals, so there is one graph per 4096 vectors, in a worker thread, plus the exact tail. Flat: \`FlatIndex\`, exact, on the event loop, pausing between slices. hnswlib-node: one graph of all vectors, M ${GRAPH.m}, efConstruction ${GRAPH.efConstruction}, ef ${GRAPH.ef} as the segments have it, then doubled until its recall is ${ENOUGH_RECALL}; called directly, which blocks the event loop.`,
      `Event loop: the longest and the 99th percentile of its delay (\`monitorEventLoopDelay\`, resolution 1 ms, which alone shows about 1 ms) while ${SEARCHERS} searchers are busy.`,
    ],
  }
}

async function ofSize(
  { vectors, queries }: ClusteredSet,
  dir: string,
): Promise<Pick<Section, 'comparisons' | 'figures'>> {
  const log = createLog({ name: 'bench', level: 'silent' })
  const segments = await openSegmentedIndex({ dir, dim: DIM, fingerprint: 'bench:000000000000', log })
  const flat = new FlatIndex({ dim: DIM })
  const bare = new hnswlib.HierarchicalNSW('ip', DIM)
  bare.initIndex({
    maxElements: vectors.length,
    m: GRAPH.m,
    efConstruction: GRAPH.efConstruction,
    randomSeed: 20,
  })
  bare.setEf(GRAPH.ef)
  try {
    for (let from = 0; from < vectors.length; from += PORTION) {
      const portion = vectors.slice(from, from + PORTION)
      const entries = portion.map((vector, i) => ({
        ord: from + i + 1,
        vector,
        source: 1,
        capturedAt: 1000 * (from + i),
      }))
      await segments.add(entries)
      await flat.add(entries)
      for (const [i, vector] of portion.entries()) {
        bare.addPoint(Array.from(vector), from + i + 1)
        if (i % 64 === 0) await turn()
      }
      await segments.settled()
    }
    const contestants: Record<Contestant, Search> = {
      segments: async query => (await segments.search({ vector: query, k: K })).map(hit => hit.ord),
      flat: async query => (await flat.search({ vector: query, k: K })).map(hit => hit.ord),
      bare: async query => bare.searchKnn(Array.from(query), K).neighbors,
    }
    const { segments: count, tail } = segments.stats()
    const size = vectors.length.toLocaleString('en-GB')
    const what = `${size} vectors (${count} segments, tail ${tail})`
    const { comparisons, figures } = await measure(contestants, queries, what)
    const equal = await atEqualRecall(contestants, bare, queries, what)
    return { comparisons: [...comparisons, ...equal], figures }
  } finally {
    await segments.close()
    await flat.close()
  }
}

async function measure(
  contestants: Record<Contestant, Search>,
  queries: readonly Float32Array[],
  what: string,
): Promise<Pick<Section, 'comparisons' | 'figures'>> {
  const found: Record<Contestant, (readonly number[])[]> = { segments: [], flat: [], bare: [] }
  let asked = 0
  const ask = (name: Contestant) => async () => {
    // The rotation asks each contestant once a round, so the round is the query.
    const query = queries[Math.floor(asked++ / 3) % queries.length]!
    found[name].push(await contestants[name](query))
  }
  const times = await interleave(
    { segments: ask('segments'), flat: ask('flat'), bare: ask('bare') },
    queries.length,
  )
  const shared = { items: 1, unit: 'ms (P50)', what }
  const recall = (name: Contestant) =>
    recallOf(found[name].slice(-queries.length), found.flat.slice(-queries.length)).toFixed(4)
  return {
    comparisons: [
      compareCost({
        ...shared,
        ours: times.segments,
        theirs: times.flat,
        beside: 'flat, exact, in JavaScript',
      }),
      compareCost({
        ...shared,
        ours: times.segments,
        theirs: times.bare,
        beside: `bare hnswlib-node, ef ${GRAPH.ef}`,
      }),
    ],
    figures: [
      {
        what: `${what}: P95`,
        value: `Sightline ${p95(times.segments)}, flat ${p95(times.flat)}, hnswlib-node ${p95(times.bare)}`,
      },
      {
        what: `${what}: recall@${K}`,
        value: `Sightline ${recall('segments')}, hnswlib-node ${recall('bare')}`,
      },
      { what: `${what}: event loop delay, P99 / longest`, value: await delays(contestants, queries) },
    ],
  }
}

/**
 * Speed without recall is cheap: where the single graph finds too little with the ef of the segments, the same again with
 * the smallest power of two that finds enough. Enough is not all: the last few hits would cost it a multiple.
 */
async function atEqualRecall(
  { segments, flat, bare }: Record<Contestant, Search>,
  graph: hnswlib.HierarchicalNSW,
  queries: readonly Float32Array[],
  what: string,
): Promise<Comparison[]> {
  const all = async (search: Search) => {
    const answers: (readonly number[])[] = []
    for (const query of queries) answers.push(await search(query))
    return answers
  }
  const exact = await all(flat)
  const found = recallOf(await all(segments), exact)
  const wanted = Math.min(found, ENOUGH_RECALL)
  let ef = GRAPH.ef
  while (ef < MAX_EF && recallOf(await all(bare), exact) < wanted) {
    ef *= 2
    graph.setEf(ef)
  }
  if (ef === GRAPH.ef) return []
  const reached = recallOf(await all(bare), exact)
  let asked = 0
  const ask = (search: Search) => () => search(queries[Math.floor(asked++ / 2) % queries.length]!)
  const { ours, theirs } = await interleave({ ours: ask(segments), theirs: ask(bare) }, queries.length)
  const beside = `bare hnswlib-node, ef ${ef}: recall ${reached.toFixed(4)}, ours ${found.toFixed(4)}`
  return [compareCost({ ours, theirs, what, beside, items: 1, unit: 'ms (P50)' })]
}

function p95(times: readonly number[]): string {
  return `${number(percentile(times, 95))} ms`
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
