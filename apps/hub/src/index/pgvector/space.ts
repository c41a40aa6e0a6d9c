import { randomUUID } from 'node:crypto'
import { fault } from '@sightline/core'
import { type Extension, migrate } from './schema.ts'
import { type Query, quoted, type Sql } from './sql.ts'

/** What is fixed when a table is made; another layout is another table, filled again from the store. */
export interface Layout {
  readonly partitionMs: number
  readonly hashPartitions: number
  readonly m: number
  readonly efConstruction: number
}

/** Rows up to this many bytes stay in the table; longer vectors go out of line, as a page has 8 kB. */
const MAX_PLAIN_BYTES = 7800

export interface SpaceOptions {
  readonly schema: string
  readonly fingerprint: string
  readonly generation: string
  readonly dim: number
  readonly layout: Layout
}

/** The table of one model's vectors, of one hub. */
export interface Space {
  readonly id: number
  /** Quoted. */
  readonly schema: string
  readonly table: string
  readonly name: string
  readonly dim: number
  readonly layout: Layout
  readonly extension: Extension
  readonly lastOrd: number
  /** Whoever opened the space last may write; see `claim`. */
  readonly writer: string
}

/**
 * The space of this model and generation of names, taken over from whoever wrote it before. Others in the schema are
 * void (a model, a table of names or a layout that is no more) and are dropped: a schema belongs to one hub.
 */
export async function openSpace(sql: Sql, options: SpaceOptions): Promise<Space> {
  const { schema, fingerprint, generation, dim } = options
  const extension = await migrate(sql, schema)
  const layout = JSON.stringify(options.layout)
  const writer = randomUUID()
  const at = quoted(schema)
  return sql.transaction(async query => {
    const spaces = await query(`SELECT * FROM ${at}.spaces ORDER BY id FOR UPDATE`)
    let found: { id: number; lastOrd: number } | undefined
    for (const row of spaces) {
      const id = Number(row.id)
      const same = row.fingerprint === fingerprint && row.generation === generation
      const there = await query('SELECT to_regclass($1) IS NOT NULL AS there', [`${at}.${nameOf(id)}`])
      if (same && Number(row.dim) === dim && row.layout === layout && there[0]?.there === true) {
        found = { id, lastOrd: Number(row.last_ord) }
        continue
      }
      await query(`DROP TABLE IF EXISTS ${at}.${nameOf(id)}`)
      await query(`DELETE FROM ${at}.spaces WHERE id = $1`, [id])
    }
    if (found === undefined) {
      const [row] = await query(
        `INSERT INTO ${at}.spaces (fingerprint, generation, dim, layout, writer) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
        [fingerprint, generation, dim, layout, writer],
      )
      found = { id: Number(row!.id), lastOrd: 0 }
      await createTable(query, { at, name: nameOf(found.id), id: found.id, dim, vector: extension.vector })
    } else await query(`UPDATE ${at}.spaces SET writer = $1 WHERE id = $2`, [writer, found.id])
    const name = nameOf(found.id)
    return {
      ...found,
      schema: at,
      table: `${at}.${name}`,
      name,
      dim,
      layout: options.layout,
      extension,
      writer,
    }
  })
}

/**
 * Holds the space until the transaction ends and moves its watermark. Two hubs on one schema, or one that was believed
 * dead, would otherwise mix their numbers: the later one wins, the other hears of it.
 * @throws INDEX_UNAVAILABLE when the space was taken over or dropped
 */
export async function claim(query: Query, { schema, id, writer }: Space, lastOrd: number): Promise<void> {
  const held = await query(
    `UPDATE ${schema}.spaces SET last_ord = greatest(last_ord, $1) WHERE id = $2 AND writer = $3 RETURNING id`,
    [lastOrd, id, writer],
  )
  if (held.length === 0)
    throw fault(
      'INDEX_UNAVAILABLE',
      `another hub has taken over schema ${schema}: give each hub one of its own`,
    )
}

interface TableOptions {
  readonly at: string
  readonly name: string
  readonly id: number
  readonly dim: number
  readonly vector: string
}

async function createTable(query: Query, { at, name, id, dim, vector }: TableOptions): Promise<void> {
  const storage = 4 * dim <= MAX_PLAIN_BYTES ? 'PLAIN' : 'EXTERNAL'
  for (const statement of [
    `CREATE TABLE ${at}.${name} (
      ord bigint NOT NULL,
      source integer NOT NULL,
      captured_at bigint NOT NULL,
      labels integer[] NOT NULL,
      embedding ${vector}(${dim}) NOT NULL,
      PRIMARY KEY (ord, captured_at, source)
    ) PARTITION BY RANGE (captured_at)`,
    `ALTER TABLE ${at}.${name} ALTER COLUMN embedding SET STORAGE ${storage}`,
    `CREATE INDEX ON ${at}.${name} (source, captured_at)`,
    `CREATE INDEX ON ${at}.${name} USING gin (labels)`,
    `CREATE TABLE ${at}.${name}_rest PARTITION OF ${at}.${name} DEFAULT`,
  ])
    await query(statement)
  await query(`INSERT INTO ${at}.leaves (name, space) VALUES ($1, $2)`, [`${name}_rest`, id])
}

/** Of the table of a space. */
export function nameOf(id: number): string {
  return `vectors_${id}`
}
