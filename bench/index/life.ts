import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import type { SegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import { type Figure, percentile } from '../measure.ts'
import { number } from '../report.ts'
import { entryOf } from './entries.ts'
import type { Search } from './recall.ts'

const INGEST_BATCH = 32
const SEARCHERS = 4

/** Adding as an ingest does while one search after the other is asked, sealing and merging included. */
export async function ingestWhileSearching(
  index: SegmentedIndex,
  vectors: readonly Float32Array[],
  queries: readonly Float32Array[],
): Promise<Figure[]> {
  const calm = await timesOf(index, queries, () => false)
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  let adding = true
  const searching = timesOf(index, queries, () => adding)
  const first = index.lastOrd
  const startMs = performance.now()
  for (let at = 0; at < vectors.length; at += INGEST_BATCH) {
    const batch = vectors.slice(at, at + INGEST_BATCH)
    await index.add(batch.map((vector, i) => entryOf(vector, first + at + i)))
    await turn()
  }
  const addedMs = performance.now() - startMs
  await index.settled()
  const builtMs = performance.now() - startMs
  adding = false
  const busy = await searching
  delays.disable()
  return [
    {
      what: 'Vectors a second while searching: taken in and searchable, and built into graphs',
      value: `${number((1000 * vectors.length) / addedMs)}, ${number((1000 * vectors.length) / builtMs)}`,
    },
    {
      what: 'Search P95 while vectors are taken in, sealed and merged, and before',
      value: `${number(percentile(busy, 95))} ms, ${number(percentile(calm, 95))} ms`,
    },
    {
      what: 'Event loop delay meanwhile, P99 / longest',
      value: delayText(delays),
      target: 'longest <= 20 ms',
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

/** What several searchers at once do to everybody else on the event loop. */
export async function eventLoopDelays(
  searches: Readonly<Record<string, Search>>,
  queries: readonly Float32Array[],
): Promise<Figure> {
  const parts: string[] = []
  for (const [name, search] of Object.entries(searches)) {
    const delays = monitorEventLoopDelay({ resolution: 1 })
    let next = 0
    const searcher = async () => {
      while (next < queries.length) {
        await search(queries[next++]!)
        await turn()
      }
    }
    delays.enable()
    await Promise.all(Array.from({ length: SEARCHERS }, searcher))
    delays.disable()
    parts.push(`${name} ${delayText(delays)}`)
  }
  return {
    what: 'Event loop delay while searching, P99 / longest',
    value: parts.join(', '),
    target: 'longest <= 20 ms',
  }
}

function delayText(delays: { percentile(p: number): number; readonly max: number }): string {
  return `${number(delays.percentile(99) / 1e6)} / ${number(delays.max / 1e6)} ms`
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
