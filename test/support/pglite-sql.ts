import { basename } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { createLog } from '@sightline/core'
import { openPostgresIndex, type PostgresIndexOptions } from '@sightline/hub/index/pgvector/postgres-index.js'
import { type Query, type Sql, unavailable } from '@sightline/hub/index/pgvector/sql.js'
import type { VectorIndex } from '@sightline/hub/index/vector-index.js'

export const HOUR_MS = 3_600_000

/** What tests of pgvector have in common; hours, so that the seconds between entries span several partitions. */
export function postgresOptions(
  schema: string,
  dim: number,
  graphAt: number,
): Omit<PostgresIndexOptions, 'sql'> {
  return {
    schema,
    dim,
    fingerprint: 'test:0',
    generation: 'test',
    layout: { partitionMs: HOUR_MS, hashPartitions: 2, m: 16, efConstruction: 64 },
    graphAt,
    efSearch: 128,
    exactRows: 200,
    log: createLog({ name: 'test', level: 'silent' }),
  }
}

/** PostgreSQL in this process. One session: what is asked meanwhile waits. */
export class PgliteSql implements Sql {
  readonly #db: PGlite

  constructor(db: PGlite) {
    this.#db = db
  }

  readonly query: Query = async (text, params = []) =>
    (await guarded(this.#db.query<never>(text, [...params]))).rows

  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return guarded(
      this.#db.transaction(tx =>
        work(async (text, params = []) => (await guarded(tx.query<never>(text, [...params]))).rows),
      ),
    )
  }

  async patient(text: string): Promise<void> {
    await this.query(text)
  }

  /** The database is its maker's. */
  async close(): Promise<void> {}
}

export function openPglite(): Promise<PGlite> {
  return PGlite.create({ extensions: { vector } })
}

/** For the contract: an index in a schema of its own. */
export function pgliteIndexes(graphAt: number) {
  let db: PGlite | undefined
  return {
    start: async () => {
      db = await openPglite()
    },
    stop: async () => {
      await db?.close()
    },
    open: (dir: string, dim: number): Promise<VectorIndex> =>
      openPostgresIndex({
        ...postgresOptions(`s${basename(dir)}`, dim, graphAt),
        sql: new PgliteSql(db!),
      }),
  }
}

function guarded<T>(asked: Promise<T>): Promise<T> {
  return asked.catch(error => {
    throw unavailable(error)
  })
}
