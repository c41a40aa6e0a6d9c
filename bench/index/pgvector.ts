import { createLog } from '@sightline/core'
import { PoolSql } from '@sightline/hub/index/pgvector/pool-sql.js'
import { openPostgresIndex, type PostgresIndex } from '@sightline/hub/index/pgvector/postgres-index.js'
import type { Sql } from '@sightline/hub/index/pgvector/sql.js'
import type { IndexEntry } from '@sightline/hub/index/vector-index.js'
import type { Rival } from './equal-recall.ts'
import { openPglite } from './pglite.ts'
import type { Search } from './recall.ts'

const SCHEMA = 'sightline_bench'
const PARTITION_MS = 30 * 86_400_000
const EFFORTS = [64, 128, 256, 512, 1000]
/** Beyond, WebAssembly takes minutes for a graph. */
const MAX_IN_PROCESS = 10_000
const log = createLog({ name: 'bench', level: 'silent' })

/** pgvector with the hub's default settings, but for the candidates of a search. */
export class Pgvector implements Rival {
  readonly name: string
  readonly unit = 'efSearch'
  readonly isInProcess = false
  readonly efforts = EFFORTS
  readonly #connect: () => Sql
  readonly #disconnect: () => Promise<void>
  readonly #size: { readonly dim: number; readonly k: number }
  readonly #open: PostgresIndex[] = []

  constructor(
    name: string,
    { connect, disconnect }: { connect: () => Sql; disconnect: () => Promise<void> },
    size: { readonly dim: number; readonly k: number },
  ) {
    this.name = name
    this.#connect = connect
    this.#disconnect = disconnect
    this.#size = size
  }

  async fill(portions: Iterable<readonly IndexEntry[]>): Promise<void> {
    const index = await this.#opened(EFFORTS[0]!)
    for (const entries of portions) await index.add(entries)
    await index.settled()
  }

  async at(efSearch: number): Promise<Search> {
    const index = await this.#opened(efSearch)
    const { k } = this.#size
    return async vector => (await index.search({ vector, k })).map(({ ord }) => ord)
  }

  async close(): Promise<void> {
    for (const index of this.#open) await index.close()
    const sql = this.#connect()
    await sql.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`).finally(() => sql.close())
    await this.#disconnect()
  }

  async #opened(efSearch: number): Promise<PostgresIndex> {
    const index = await openPostgresIndex({
      sql: this.#connect(),
      schema: SCHEMA,
      fingerprint: 'bench:000000000000',
      generation: 'bench',
      dim: this.#size.dim,
      layout: { partitionMs: PARTITION_MS, hashPartitions: 1, m: 16, efConstruction: 100 },
      graphAt: 10_000,
      efSearch,
      log,
    })
    this.#open.push(index)
    return index
  }
}

/** In the server that SIGHTLINE_POSTGRES_URL names; without one in this process, while that is bearable. */
export async function openPgvector(
  count: number,
  size: { readonly dim: number; readonly k: number },
): Promise<Pgvector | undefined> {
  const url = process.env.SIGHTLINE_POSTGRES_URL
  if (url !== undefined && url !== '') {
    const connect = () => new PoolSql({ url, maxConnections: 4, statementTimeoutMs: 600_000, log })
    return new Pgvector('pgvector in PostgreSQL', { connect, disconnect: async () => {} }, size)
  }
  if (count > MAX_IN_PROCESS) return undefined
  return new Pgvector('pgvector in PGlite (WebAssembly, in this process)', await openPglite(), size)
}
