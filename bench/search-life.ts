import { performance } from 'node:perf_hooks'
import type { SegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import type { IndexEntry, IndexFilter } from '@sightline/hub/index/vector-index.js'
import { type Figure, median, percentile } from './measure.ts'
import { number } from './report.ts'

/** Labels of an entry: so rare that 50 %, 5 %, 0.5 % and 0.01 % have them, spread evenly over scenes and time. */
export const SELECTIVITIES = [
  { share: '50 %', every: 2 },
  { share: '5 %', every: 20 },
  { share: '0.5 %', every: 200 },
  { share: '0.01 %', every: 10_000 },
] as const

const INGEST_BATCH = 32
const INGEST_VECTORS = 8192

/** An entry a second; the label is the place in `SELECTIVITIES`. */
export function entryOf(vector: Float32Array, i: number): IndexEntry {
  // A multiplicative hash, so that a label does not fall on every n-th frame of a scene (Knuth 1973, 6.4).
  const draw = Math.imul(i, 0x9e3779b1) >>> 0
  return {
    ord: i + 1,
    vector,
    source: i % 16,
    capturedAt: 1000 * i,
    labels: SELECTIVITIES.flatMap(({ every }, label) => (draw < 2 ** 32 / every ? [label] : [])),
  }
}

/** Recall and time under filters of every selectivity. The truth is an exact search of the same index. */
export async function filtered(
  index: SegmentedIndex,
  queries: readonly Float32Array[],
  { k, size }: { k: number; size: number },
): Promise<Figure[]> {
  const figures: Figure[] = []
  const filters: (readonly [string, IndexFilter])[] = [
    ...SELECTIVITIES.map(({ share }, label) => [`${share} of the vectors`, { labels: [label] }] as const),
    ['half of the time', { from: 250 * size, to: 750 * size }],
    ['a sixteenth by source, half of the time', { sources: [3], from: 250 * size, to: 750 * size }],
  ]
  for (const [what, filter] of filters) {
    const timesMs: number[] = []
    let found = 0
    let wanted = 0
    for (const vector of queries) {
      const truth = await index.search({ vector, k, filter, exact: true })
      const startMs = performance.now()
      const hits = await index.search({ vector, k, filter })
      timesMs.push(performance.now() - startMs)
      const ords = new Set(hits.map(hit => hit.ord))
      found += truth.filter(hit => ords.has(hit.ord)).length
      wanted += truth.length
    }
    const recall = (found / wanted).toFixed(4)
    figures.push({
      what: `Filter that lets through ${what}: recall@${k}, P50 / P95`,
      value: `${recall}, ${number(median(timesMs))} / ${number(percentile(timesMs, 95))} ms`,
      target: 'recall >= 0.95',
    })
  }
  return figures
}

/** Adding as an ingest does while one search after the other is asked, sealing and merging included. */
export async function ingestWhileSearching(
  index: SegmentedIndex,
  vectors: readonly Float32Array[],
  queries: readonly Float32Array[],
): Promise<Figure[]> {
  const calm = await timesOf(index, queries, () => false)
  let adding = true
  const searching = timesOf(index, queries, () => adding)
  const first = index.lastOrd
  const startMs = performance.now()
  for (let at = 0; at < INGEST_VECTORS; at += INGEST_BATCH) {
    const batch = Array.from({ length: INGEST_BATCH }, (_, i) =>
      entryOf(vectors[(at + i) % vectors.length]!, first + at + i),
    )
    await index.add(batch)
    await new Promise(resolve => setImmediate(resolve))
  }
  const addedMs = performance.now() - startMs
  await index.settled()
  adding = false
  const busy = await searching
  return [
    {
      what: 'Vectors taken in per second while searching',
      value: number((1000 * INGEST_VECTORS) / addedMs),
    },
    {
      what: 'Search P95 while vectors are taken in, sealed and merged, and before',
      value: `${number(percentile(busy, 95))} ms, ${number(percentile(calm, 95))} ms`,
    },
  ]
}

async function timesOf(
  index: SegmentedIndex,
  queries: readonly Float32Array[],
  more: () => boolean,
): Promise<number[]> {
  const timesMs: number[] = []
  for (let i = 0; i < queries.length || more(); i++) {
    const startMs = performance.now()
    await index.search({ vector: queries[i % queries.length]!, k: 10 })
    timesMs.push(performance.now() - startMs)
  }
  return timesMs
}

/** Opening what was sealed, verified, until the first answer. */
export async function coldStart(open: () => Promise<SegmentedIndex>, query: Float32Array): Promise<Figure> {
  const startMs = performance.now()
  const index = await open()
  await index.search({ vector: query, k: 10 })
  const tookMs = performance.now() - startMs
  const { vectors } = index.stats()
  await index.close()
  return {
    what: `Cold start of ${vectors.toLocaleString('en-GB')} sealed vectors, until the first answer`,
    value: `${number(tookMs / 1000)} s`,
    target: '1,000,000 in less than 10 s',
  }
}
