import { performance } from 'node:perf_hooks'
import type { VectorIndex } from '@sightline/hub/index/vector-index.js'
import type { Figure } from '../measure.ts'
import type { BareGraph } from './bare.ts'
import { spreadOf } from './contest.ts'
import { filtersOf } from './entries.ts'
import { answersOf, recallOf } from './recall.ts'

/** Where little passes, hnswlib walks its whole graph and asks a function at each step. */
const BARE_QUERIES = 20

export interface FilteredOptions {
  readonly ours: VectorIndex
  /** The same vectors, compared one by one. */
  readonly exact: VectorIndex
  readonly bare: BareGraph
  /** Of the bare graph: that at which it finds as much as we do, without a filter. */
  readonly ef: number
  readonly queries: readonly Float32Array[]
  readonly k: number
}

/** Recall and time under filters of every selectivity. */
export async function filtered(options: FilteredOptions): Promise<Figure[]> {
  const { ours, exact, bare, ef, queries, k } = options
  const figures: Figure[] = []
  for (const { what, filter, passes } of filtersOf(ours.stats().vectors)) {
    const by = (index: VectorIndex) => async (vector: Float32Array) =>
      (await index.search({ vector, k, filter })).map(({ ord }) => ord)
    const truth = await answersOf(by(exact), queries)
    const timesMs: number[] = []
    const found = await answersOf(timed(by(ours), timesMs), queries)
    const few = queries.slice(0, BARE_QUERIES)
    const bareMs: number[] = []
    const theirs = await answersOf(timed(bare.filtered(ef, passes), bareMs), few)
    figures.push({
      what: `Filter that lets through ${what}: recall@${k}, P50 / P95`,
      value: `${recallOf(found, truth).toFixed(4)}, ${spreadOf(timesMs)}; hnswlib-node with ef ${ef} and a filter function ${recallOf(theirs, truth.slice(0, BARE_QUERIES)).toFixed(4)}, ${spreadOf(bareMs)}`,
      target: 'recall >= 0.95',
    })
  }
  return figures
}

function timed<A, R>(ask: (query: A) => Promise<R>, timesMs: number[]): (query: A) => Promise<R> {
  return async query => {
    const startMs = performance.now()
    const answer = await ask(query)
    timesMs.push(performance.now() - startMs)
    return answer
  }
}
