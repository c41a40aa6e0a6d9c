import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createLog } from '@sightline/core'
import { FlatIndex } from '@sightline/hub/index/flat-index.js'
import { openSegmentedIndex, type SegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import type { VectorIndex } from '@sightline/hub/index/vector-index.js'
import { type ClusteredSet, clusteredSet } from '../clusters.ts'
import type { BenchOptions, Comparison, Figure, Section } from '../measure.ts'
import { number } from '../report.ts'
import { BARE, BareGraph } from './bare.ts'
import { besideExact, besideRival, type Contest, type RivalResult } from './contest.ts'
import { entriesOf } from './entries.ts'
import { filtered } from './filtered.ts'
import { coldStart, eventLoopDelays, ingestWhileSearching } from './life.ts'
import { openPgvector } from './pgvector.ts'
import { progressOf } from './progress.ts'
import { answersOf, type Search } from './recall.ts'

const DIM = 512
const K = 10
const PORTION = 4096
/** Vectors that wait for their graph before filling waits for them: as on a hub that keeps up. */
const MAX_TAIL = 4096
/** The same for a million: a backlog that is caught up with, each vector built into a graph twice, not four times. */
const LARGE = 1_000_000
const LARGE_TAIL = 131_072
/** Queries of what compares all of a million vectors each time. */
const LARGE_QUERIES = 25
/** Vectors that come in while others search: enough for two segments. */
const INGESTED = 8192

/** Nearest neighbours: speed, recall, memory, and what a search does to everybody else on the event loop. */
export async function index({ quick, large, dir }: BenchOptions): Promise<Section> {
  const sizes = quick ? [5_000] : [10_000, 100_000, ...(large ? [LARGE] : [])]
  const comparisons: Comparison[] = []
  const figures: Figure[] = []
  for (const size of sizes) {
    const queries = quick ? 20 : size < LARGE ? 400 : 100
    const part = await ofSize(clusteredSet(size, queries, DIM), join(dir, String(size)))
    comparisons.push(...part.comparisons)
    figures.push(...part.figures)
  }
  return {
    title: 'Index',
    comparisons,
    figures,
    notes: [
      `Seeded ${DIM}-d unit vectors: 32 topics, scenes around a topic (cosine about 0.78), 50 frames a scene in a row (about 0.92), queries farther from a scene than its frames are (about 0.74). k = ${K}; recall is measured against the exact answer. One search at a time; each query is asked of all in turn.`,
      `Sightline: \`SegmentedIndex\` with default settings, searched in worker threads and, up to 16,384 vectors, on the event loop; filled as fast as its graphs are built, a million as a backlog (up to ${LARGE_TAIL} vectors wait at a time). Brute force: \`FlatIndex\`, exact, in JavaScript on the event loop, pausing between slices. hnswlib-node: one graph of all vectors, M ${BARE.m}, efConstruction ${BARE.efConstruction}, called directly, which blocks the event loop.`,
      'At equal recall: ef is doubled until hnswlib-node finds as much as Sightline; both efs around that are then timed in turn with Sightline, and the time in between is taken to grow by the same factor for each halving of what is missed. Where even the last ef finds less, its time stands there, which is too good for it. pgvector likewise, by `hnsw.ef_search`.',
      'Rows of P95: the spread is the middle half of 200 resamplings of the rounds. Rows of CPU: user and system time of this process, all threads; that of a PostgreSQL server is not in it.',
      'pgvector: where SIGHTLINE_POSTGRES_URL names a server, `PostgresIndex` in it with default settings. Else in PGlite, up to 10,000 vectors; WebAssembly is several times slower than a server.',
      'Filters: labels drawn evenly over all vectors, so that a scene is not all in or all out; time in the order of storage. hnswlib-node gets a filter function and the ef that it needed without one, for 20 of the queries. At 0.01 % of 10,000 vectors one passes.',
      'Event loop: `monitorEventLoopDelay`, resolution 1 ms, which alone shows about 1 ms; 4 searchers.',
    ],
  }
}

async function ofSize(set: ClusteredSet, dir: string): Promise<Pick<Section, 'comparisons' | 'figures'>> {
  const log = createLog({ name: 'bench', level: 'silent' })
  const open = () => openSegmentedIndex({ dir, dim: DIM, fingerprint: 'bench:000000000000', log })
  const { count, queries } = set
  mkdirSync(dir, { recursive: true })
  const size = `${count.toLocaleString('en-GB')} vectors`
  const segments = await open()
  const flat = new FlatIndex({ dim: DIM })
  const bare = new BareGraph({ dim: DIM, count, k: K })
  try {
    await fill({ segments, flat, bare }, set)
    const stats = segments.stats()
    const exact = searchOf(flat)
    const contest: Contest = {
      what: `${size} (${stats.segments} segments, tail ${stats.tail})`,
      ours: searchOf(segments),
      queries,
      exact: await answersOf(exact, queries),
      k: K,
    }
    said(size, 'asking')
    const few = count < LARGE ? queries : queries.slice(0, LARGE_QUERIES)
    const bruteForce = { name: 'brute force in JavaScript', search: exact }
    const besideFlat = await besideExact({ ...contest, queries: few }, bruteForce)
    const besideBare = await besideRival(contest, bare, 'at most 1.30')
    said(size, 'asking pgvector')
    const besidePgvector = await contestPgvector(contest, set)
    said(size, 'filters')
    const { effort: ef } = besideBare
    const life = [
      ...(await filtered({ ours: segments, exact: flat, bare, ef, queries: few, k: K })),
      await eventLoopDelays(
        { Sightline: contest.ours, 'brute force': exact, 'hnswlib-node': await bare.at(ef) },
        few.slice(0, 100),
      ),
      bytesFigure({ memory: stats.bytes, disk: bytesIn(dir), bare: bare.bytes(`${dir}-bare`), count }),
    ]
    said(size, 'taking in while searching')
    life.push(...(await ingestWhileSearching(segments, set.more(INGESTED), queries)))
    await segments.close()
    life.push(await coldStart(open, queries[0]!))
    return {
      comparisons: [...besideFlat, ...besideBare.comparisons, ...besidePgvector.comparisons],
      figures: [
        ...besideBare.figures,
        ...besidePgvector.figures,
        ...life.map(figure => ({ ...figure, what: `${size}: ${figure.what}` })),
      ],
    }
  } finally {
    await segments.close()
    await flat.close()
  }
}

async function fill(
  { segments, flat, bare }: { segments: SegmentedIndex; flat: FlatIndex; bare: BareGraph },
  set: ClusteredSet,
): Promise<void> {
  const progress = progressOf(`${set.count.toLocaleString('en-GB')} vectors, filling`, set.count)
  const maxTail = set.count < LARGE ? MAX_TAIL : LARGE_TAIL
  for (const entries of entriesOf(set, PORTION)) {
    await segments.add(entries)
    await flat.add(entries)
    await bare.add(entries)
    if (segments.stats().tail >= maxTail) await segments.settled()
    progress(flat.lastOrd)
  }
  await segments.settled()
}

async function contestPgvector(
  contest: Contest,
  set: ClusteredSet,
): Promise<Pick<RivalResult, 'comparisons' | 'figures'>> {
  const pgvector = await openPgvector(set.count, { dim: DIM, k: K })
  if (pgvector === undefined) return { comparisons: [], figures: [] }
  try {
    await pgvector.fill(entriesOf(set, PORTION))
    return await besideRival(contest, pgvector)
  } finally {
    await pgvector.close()
  }
}

function searchOf(which: VectorIndex): Search {
  return async vector => (await which.search({ vector, k: K })).map(({ ord }) => ord)
}

function bytesIn(dir: string): number {
  return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
}

function bytesFigure({
  memory,
  disk,
  bare,
  count,
}: Record<'memory' | 'disk' | 'bare' | 'count', number>): Figure {
  const each = (bytes: number) => `${number(bytes / count)} bytes`
  return {
    what: 'Memory a vector, tail included',
    value: `Sightline ${each(memory)} (and ${each(disk)} on the disk), hnswlib-node ${each(bare)}`,
  }
}

function said(size: string, step: string): void {
  console.error(`${size}: ${step}`)
}
