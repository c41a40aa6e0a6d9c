import { fault, isFault } from '@sightline/core'
import { type Query, quoted, type Sql } from './sql.ts'

/** Any number; held while tables are made, so that two hubs that start at once do not both make them. */
const ADVISORY_LOCK = 0x51_67_4c_4e
/** halfvec came with 0.7, scans that go on until enough rows pass a filter with 0.8. */
const LEAST_VERSION = [0, 7] as const
const ITERATIVE_VERSION = [0, 8] as const

/** In order; each is applied once. Append only: what has run somewhere is never edited. */
const MIGRATIONS: readonly ((schema: string) => readonly string[])[] = [
  schema => [
    `CREATE TABLE ${schema}.spaces (
      id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      fingerprint text NOT NULL,
      generation text NOT NULL,
      dim integer NOT NULL,
      layout text NOT NULL,
      last_ord bigint NOT NULL DEFAULT 0,
      writer text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now())`,
    `CREATE TABLE ${schema}.leaves (
      name text PRIMARY KEY,
      space integer NOT NULL REFERENCES ${schema}.spaces ON DELETE CASCADE,
      time_range bigint,
      bucket integer,
      live bigint NOT NULL DEFAULT 0)`,
  ],
]

/** How pgvector's things are called here: managed services put extensions into schemas of their own. */
export interface Extension {
  readonly vector: string
  readonly halfvec: string
  readonly halfvecOps: string
  /** Negative inner product: the similarity of unit vectors, smallest first. */
  readonly distance: string
  /** Whether `hnsw.iterative_scan` exists. */
  readonly iterative: boolean
}

/** Makes what is missing of the extension, the schema and its tables. Any number of hubs may do so at once. */
export async function migrate(sql: Sql, schema: string): Promise<Extension> {
  await ensureExtension(sql)
  await sql.transaction(async query => {
    await query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK])
    // IF NOT EXISTS would still ask for the right to create schemas.
    const [found] = await query('SELECT to_regnamespace($1) IS NOT NULL AS there', [quoted(schema)])
    if (found?.there !== true) await query(`CREATE SCHEMA ${quoted(schema)}`)
    const table = `${quoted(schema)}.migrations`
    await query(
      `CREATE TABLE IF NOT EXISTS ${table} (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    )
    const [last] = await query(`SELECT coalesce(max(version), 0)::int AS version FROM ${table}`)
    const done = Number(last?.version)
    if (done > MIGRATIONS.length)
      throw fault(
        'INDEX_UNAVAILABLE',
        `schema ${schema} is of version ${done}, this hub knows ${MIGRATIONS.length}: a newer hub has used it`,
      )
    for (const [i, statements] of MIGRATIONS.entries()) {
      if (i < done) continue
      for (const statement of statements(quoted(schema))) await query(statement)
      await query(`INSERT INTO ${table} (version) VALUES ($1)`, [i + 1])
    }
  })
  return extensionOf(sql.query)
}

async function ensureExtension({ query }: Sql): Promise<void> {
  if ((await query("SELECT 1 FROM pg_extension WHERE extname = 'vector'")).length > 0) return
  try {
    await query('CREATE EXTENSION IF NOT EXISTS vector')
  } catch (error) {
    if (!isFault(error) || error.details.state === undefined) throw error
    throw fault(
      'INDEX_UNAVAILABLE',
      `the database has no extension vector and this role cannot create it (${error.message}): install pgvector, then run CREATE EXTENSION vector as its owner`,
      { cause: error },
    )
  }
}

async function extensionOf(query: Query): Promise<Extension> {
  const [row] = await query<{ schema: string; version: string }>(
    `SELECT nspname AS schema, extversion AS version
     FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'`,
  )
  const { schema, version } = row!
  if (!atLeast(version, LEAST_VERSION))
    throw fault(
      'INDEX_UNAVAILABLE',
      `pgvector ${version} is too old, ${LEAST_VERSION.join('.')} is needed: install it, then run ALTER EXTENSION vector UPDATE`,
    )
  const at = quoted(schema)
  return {
    vector: `${at}.vector`,
    halfvec: `${at}.halfvec`,
    halfvecOps: `${at}.halfvec_ip_ops`,
    distance: `OPERATOR(${at}.<#>)`,
    iterative: atLeast(version, ITERATIVE_VERSION),
  }
}

function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number)
  return a > major || (a === major && b >= minor)
}
