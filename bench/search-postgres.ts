import { createLog } from '@sightline/core'
import { PoolSql } from '@sightline/hub/index/pgvector/pool-sql.js'
import { openPostgresIndex } from '@sightline/hub/index/pgvector/postgres-index.js'
import type { IndexEntry, VectorIndex } from '@sightline/hub/index/vector-index.js'
import { type Comparison, compareCost, interleave } from './measure.ts'

const SCHEMA = 'sightline_bench'
const PARTITION_MS = 30 * 86_400_000
const PORTION = 2048

export interface PostgresRace {
  readonly segments: VectorIndex
  readonly entries: readonly IndexEntry[]
  readonly queries: readonly Float32Array[]
  readonly k: number
  readonly what: string
}

/**
 * The same vectors in the server that SIGHTLINE_POSTGRES_URL names, in a schema that is dropped afterwards, with the
 * hub's default settings. Nothing without that variable.
 */
export async function besidePostgres(race: PostgresRace): Promise<readonly Comparison[]> {
  const url = process.env.SIGHTLINE_POSTGRES_URL
  if (url === undefined || url === '') return []
  const { segments, entries, queries, k, what } = race
  const log = createLog({ name: 'bench', level: 'silent' })
  const pool = () => new PoolSql({ url, maxConnections: 4, statementTimeoutMs: 600_000, log })
  const index = await openPostgresIndex({
    sql: pool(),
    schema: SCHEMA,
    fingerprint: 'bench:000000000000',
    generation: 'bench',
    dim: segments.dim,
    layout: { partitionMs: PARTITION_MS, hashPartitions: 1, m: 16, efConstruction: 100 },
    graphAt: 10_000,
    efSearch: 128,
    log,
  })
  try {
    for (let at = 0; at < entries.length; at += PORTION) await index.add(entries.slice(at, at + PORTION))
    await index.settled()
    const share = await recallOf(index, race)
    let asked = 0
    const ask = (which: VectorIndex) => async () => {
      await which.search({ vector: queries[Math.floor(asked++ / 2) % queries.length]!, k })
    }
    const { ours, theirs } = await interleave({ ours: ask(segments), theirs: ask(index) }, queries.length)
    const beside = `pgvector in PostgreSQL, recall ${share.toFixed(4)}`
    return [compareCost({ ours, theirs, what, beside, items: 1, unit: 'ms (P50)' })]
  } finally {
    await index.close()
    const sql = pool()
    await sql.query(`DROP SCHEMA ${SCHEMA} CASCADE`).finally(() => sql.close())
  }
}

async function recallOf(index: VectorIndex, { segments, queries, k }: PostgresRace): Promise<number> {
  let found = 0
  for (const vector of queries) {
    const exact = new Set((await segments.search({ vector, k, exact: true })).map(({ ord }) => ord))
    const hits = await index.search({ vector, k })
    found += hits.filter(({ ord }) => exact.has(ord)).length
  }
  return found / (k * queries.length)
}
