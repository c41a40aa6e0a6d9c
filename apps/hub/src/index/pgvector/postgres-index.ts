import { isFault, type Log, messageOf } from '@sightline/core'
import { admissible, checkVector } from '../admission.ts'
import type { IndexEntry, IndexHit, IndexQuery, IndexStats, VectorIndex } from '../vector-index.ts'
import { Leaves } from './leaves.ts'
import { Nearest, vectorText } from './nearest.ts'
import { ordsAfter } from './read-space.ts'
import { claim, openSpace, type Space, type SpaceOptions } from './space.ts'
import type { Query, Row, Sql } from './sql.ts'

/** Of one statement: some 5 MB of text at 512 dimensions. */
const ROWS_PER_INSERT = 512
/** The size on disk is asked again when so many rows more, in parts of all, are there. */
const GROWTH = 0.1
/** Comparing so many rows takes PostgreSQL as long as a walk that skips them. */
const EXACT_ROWS = 10_000
const MAX_LEAVES = 1024
/** SQLSTATE of a table that is not there: a partition was dropped between choosing and asking it. */
const UNDEFINED_TABLE = '42P01'

export interface PostgresIndexOptions extends SpaceOptions {
  /** Closed with the index. */
  readonly sql: Sql
  readonly graphAt: number
  readonly efSearch: number
  /** Rows that pass a filter up to which all of them are compared. Default 10,000. */
  readonly exactRows?: number | undefined
  /** Partitions that hold rows. Default 1024. */
  readonly maxLeaves?: number | undefined
  readonly log: Log
}

/** @throws INDEX_UNAVAILABLE; `sql` is then closed. */
export async function openPostgresIndex(options: PostgresIndexOptions): Promise<PostgresIndex> {
  const { sql, graphAt, maxLeaves = MAX_LEAVES, log } = options
  try {
    const space = await openSpace(sql, options)
    const leaves = new Leaves({ sql, space, graphAt, maxLeaves, log })
    await leaves.load()
    const index = new PostgresIndex(options, { space, leaves })
    await index.restore()
    return index
  } catch (error) {
    await sql.close()
    throw error
  }
}

interface Parts {
  readonly space: Space
  readonly leaves: Leaves
}

/**
 * One table in PostgreSQL, partitioned by time and by source, with a graph of pgvector on each partition that is large.
 * Rows and the watermark are one transaction: what `lastOrd` says is there, whatever happened to the hub or the server.
 */
export class PostgresIndex implements VectorIndex {
  readonly dim: number
  readonly #sql: Sql
  readonly #space: Space
  readonly #leaves: Leaves
  readonly #nearest: Nearest
  readonly #log: Log
  readonly #ending = new AbortController()
  #lastOrd: number
  #size = { bytes: 0, dead: 0, rows: 0 }
  #tending: Promise<void> | undefined

  /** For `openPostgresIndex`. */
  constructor(
    { sql, efSearch, exactRows = EXACT_ROWS, log }: PostgresIndexOptions,
    { space, leaves }: Parts,
  ) {
    this.dim = space.dim
    this.#sql = sql
    this.#space = space
    this.#leaves = leaves
    this.#nearest = new Nearest({ sql, space, leaves, efSearch, exactRows })
    this.#log = log
    this.#lastOrd = space.lastOrd
  }

  get lastOrd(): number {
    return this.#lastOrd
  }

  /** Takes up what a former run left undone. */
  async restore(): Promise<void> {
    await this.#measure()
    this.#tend()
  }

  /** @throws INDEX_UNAVAILABLE; nothing was then added, or the connection broke before that was known: open it anew. */
  async add(entries: readonly IndexEntry[]): Promise<void> {
    const fresh = admissible(entries, this.dim, this.#lastOrd)
    if (fresh.length === 0) return
    const lastOrd = fresh.at(-1)!.ord
    const counts = new Map<string, number>()
    const made = await this.#sql.transaction(async query => {
      await claim(query, this.#space, lastOrd)
      const leaves = await this.#leaves.make(
        query,
        fresh.map(({ capturedAt }) => capturedAt),
      )
      for (let at = 0; at < fresh.length; at += ROWS_PER_INSERT)
        takeCounts(counts, await this.#insert(query, fresh.slice(at, at + ROWS_PER_INSERT)))
      return leaves
    })
    this.#leaves.made(made)
    this.#leaves.counted(counts)
    this.#lastOrd = lastOrd
    this.#tend()
  }

  /** @throws INDEX_UNAVAILABLE; none was then removed. */
  async remove(ords: readonly number[]): Promise<number> {
    if (ords.length === 0) return 0
    const counts = new Map<string, number>()
    const { schema, table } = this.#space
    const rows = await this.#sql.transaction(async query => {
      await claim(query, this.#space, 0)
      return query(
        `WITH gone AS (DELETE FROM ${table} WHERE ord = ANY($1::bigint[]) RETURNING tableoid)
         UPDATE ${schema}.leaves l SET live = live - n ${countedBy('gone')}`,
        [[...ords]],
      )
    })
    takeCounts(counts, rows)
    this.#leaves.counted(counts)
    this.#tend()
    return rows.reduce((sum, { n }) => sum + Number(n), 0)
  }

  async ords(after: number, limit: number): Promise<number[]> {
    return ordsAfter(this.#sql.query, this.#space.table, { after, limit })
  }

  async search(query: IndexQuery): Promise<IndexHit[]> {
    checkVector(query.vector, this.dim)
    try {
      return await this.#nearest.search(query)
    } catch (error) {
      if (!isFault(error) || error.details.state !== UNDEFINED_TABLE) throw error
      return this.#nearest.search(query)
    }
  }

  /** `bytes` are on the server's disk, with tables and indexes; `segments` are partitions with a graph. */
  stats(): IndexStats {
    const leaves = this.#leaves.all
    return {
      vectors: this.#vectors,
      tail: leaves.reduce((sum, { graph, live }) => sum + (graph ? 0 : live), 0),
      segments: leaves.filter(({ graph }) => graph).length,
      dead: this.#size.dead,
      bytes: this.#size.bytes,
    }
  }

  async settled(): Promise<void> {
    while (this.#tending !== undefined) await this.#tending
  }

  /** A graph that is being built is given up; what is there of it is dropped by the next one who opens the index. */
  async close(): Promise<void> {
    this.#ending.abort()
    await this.settled()
    await this.#sql.close()
  }

  get #vectors(): number {
    return this.#leaves.all.reduce((sum, { live }) => sum + live, 0)
  }

  #insert(query: Query, entries: readonly IndexEntry[]): Promise<Row[]> {
    const { schema, table, extension, dim } = this.#space
    return query(
      `WITH taken AS (
         INSERT INTO ${table} (ord, source, captured_at, labels, embedding)
         SELECT o, s, c, l::int[], v::${extension.vector}(${dim})
         FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[], $5::text[]) AS e (o, s, c, l, v)
         ON CONFLICT DO NOTHING RETURNING tableoid)
       UPDATE ${schema}.leaves l SET live = live + n ${countedBy('taken')}`,
      [
        entries.map(({ ord }) => ord),
        entries.map(({ source }) => source),
        entries.map(({ capturedAt }) => capturedAt),
        entries.map(({ labels = [] }) => `{${labels.join()}}`),
        entries.map(({ vector }) => vectorText(vector)),
      ],
    )
  }

  #tend(): void {
    if (this.#tending !== undefined || this.#ending.signal.aborted) return
    this.#tending = this.#tendAll().finally(() => {
      this.#tending = undefined
    })
  }

  async #tendAll(): Promise<void> {
    const { signal } = this.#ending
    try {
      let changed = Math.abs(this.#vectors - this.#size.rows) > GROWTH * this.#size.rows
      while (!signal.aborted && (await this.#leaves.tend(signal))) changed = true
      if (changed && !signal.aborted) await this.#measure()
    } catch (err) {
      // Rows without a graph are compared one by one; the next that are added try again.
      if (!signal.aborted) this.#log.warn({ reason: messageOf(err) }, 'index graph not built')
    }
  }

  async #measure(): Promise<void> {
    const { schema, id } = this.#space
    const rows = this.#vectors
    const [size] = await this.#sql.query(
      `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes,
              coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0) AS dead
       FROM ${schema}.leaves l JOIN pg_class c ON c.relname = l.name AND c.relnamespace = to_regnamespace($2)
       WHERE l.space = $1`,
      [id, schema],
    )
    this.#size = { bytes: Number(size!.bytes), dead: Number(size!.dead), rows }
  }
}

function countedBy(cte: string): string {
  return `FROM (SELECT relname::text AS name, count(*) AS n FROM ${cte} JOIN pg_class c ON c.oid = ${cte}.tableoid GROUP BY 1) c
    WHERE l.name = c.name RETURNING l.name, l.live, c.n`
}

function takeCounts(counts: Map<string, number>, rows: readonly Row[]): void {
  for (const { name, live } of rows) counts.set(String(name), Number(live))
}
