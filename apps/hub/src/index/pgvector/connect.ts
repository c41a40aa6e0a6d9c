import { type ClipModel, fault, type Log } from '@sightline/core'
import type { VectorIndex } from '../vector-index.ts'
import { PoolSql } from './pool-sql.ts'
import { openPostgresIndex } from './postgres-index.ts'
import type { PostgresIndexSettings } from './settings.ts'

const DAY_MS = 86_400_000

/** Opens a pool each time it is called. @throws CONFIG_INVALID without a URL */
export function postgresPools(settings: PostgresIndexSettings, log: Log): () => PoolSql {
  const { url, maxConnections, statementTimeoutMs } = settings
  if (url === undefined)
    throw fault('CONFIG_INVALID', 'index.kind is postgres: set index.postgres.url or SIGHTLINE_POSTGRES_URL')
  return () => new PoolSql({ url, maxConnections, statementTimeoutMs, log })
}

export interface PostgresConnection {
  readonly settings: PostgresIndexSettings
  readonly model: Pick<ClipModel, 'fingerprint' | 'dim'>
  readonly log: Log
}

/**
 * How the keeper opens its index in PostgreSQL, each time with connections of its own.
 * @throws CONFIG_INVALID without a URL
 */
export function postgresOpener({
  settings,
  model,
  log,
}: PostgresConnection): (generation: string) => Promise<VectorIndex> {
  const { schema, graphAt, efSearch, hashPartitions, m, efConstruction } = settings
  const openPool = postgresPools(settings, log)
  // pgvector refuses a graph with fewer candidates than twice its neighbours.
  if (efConstruction < 2 * m)
    throw fault('CONFIG_INVALID', 'index.postgres.efConstruction must be at least twice index.postgres.m')
  const layout = {
    partitionMs: Math.round(settings.partitionDays * DAY_MS),
    hashPartitions,
    m,
    efConstruction,
  }
  return generation =>
    openPostgresIndex({
      sql: openPool(),
      schema,
      fingerprint: model.fingerprint,
      dim: model.dim,
      generation,
      layout,
      graphAt,
      efSearch,
      log,
    })
}
