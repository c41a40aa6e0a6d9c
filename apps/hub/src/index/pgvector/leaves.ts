import type { Log } from '@sightline/core'
import type { IndexFilter } from '../vector-index.ts'
import { claim, type Space } from './space.ts'
import type { Query, Sql } from './sql.ts'

/** A partition that holds rows: of one stretch of time and one share of the sources, or the rest. */
export interface Leaf {
  readonly name: string
  /** Captured from `range` times the partition width on; undefined: the rest. */
  readonly range: number | undefined
  /** Of the sources, by their hash. */
  readonly bucket: number | undefined
  readonly live: number
  /** Whether it is searched by its graph. */
  readonly graph: boolean
}

export interface LeavesOptions {
  readonly sql: Sql
  readonly space: Space
  /** Rows from which on a leaf gets a graph; below, it is compared row by row. */
  readonly graphAt: number
  /** Each is planned for in every search. What is captured at times beyond these goes to the rest. */
  readonly maxLeaves: number
  readonly log: Log
}

/** The partitions of a space: which there are, how many rows each holds, and which have a graph. */
export class Leaves {
  readonly #options: LeavesOptions
  #leaves = new Map<string, Leaf>()
  readonly #buckets = new Map<number, number>()

  constructor(options: LeavesOptions) {
    this.#options = options
  }

  get all(): Leaf[] {
    return [...this.#leaves.values()]
  }

  /** Reads what is there, and drops graphs whose building was broken off. */
  async load(): Promise<void> {
    const { sql, space } = this.#options
    for (const { index } of await sql.query(
      `SELECT c.relname AS index FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       JOIN ${space.schema}.leaves l ON c.relname = l.name || '_hnsw'
       WHERE NOT i.indisvalid AND c.relnamespace = to_regnamespace($1)`,
      [space.schema],
    ))
      await sql.query(`DROP INDEX IF EXISTS ${space.schema}.${index}`)
    const rows = await sql.query(
      `SELECT name, time_range, bucket, live, to_regclass($2 || '.' || name || '_hnsw') IS NOT NULL AS graph
       FROM ${space.schema}.leaves WHERE space = $1 ORDER BY time_range NULLS FIRST, bucket`,
      [space.id, space.schema],
    )
    this.#leaves = new Map(
      rows.map(row => [
        String(row.name),
        {
          name: String(row.name),
          range: row.time_range === null ? undefined : Number(row.time_range),
          bucket: row.bucket === null ? undefined : Number(row.bucket),
          live: Number(row.live),
          graph: row.graph === true,
        },
      ]),
    )
  }

  /** Makes the partitions that rows captured at `times` belong to. @returns those that are new, for `made` */
  async make(query: Query, times: readonly number[]): Promise<Leaf[]> {
    const { space } = this.#options
    const known = new Set(this.all.map(({ range }) => range))
    const made: Leaf[] = []
    for (const range of new Set(times.map(time => Math.floor(time / space.layout.partitionMs)))) {
      if (known.has(range) || !(await this.#fits(query, range, made.length))) continue
      made.push(...(await this.#makeRange(query, range)))
    }
    return made
  }

  /** After the transaction that made them. */
  made(leaves: readonly Leaf[]): void {
    for (const leaf of leaves) this.#leaves.set(leaf.name, leaf)
  }

  /** After a transaction that changed how many rows they hold. */
  counted(counts: ReadonlyMap<string, number>): void {
    for (const [name, live] of counts) {
      const leaf = this.#leaves.get(name)
      if (leaf !== undefined) this.#leaves.set(name, { ...leaf, live })
    }
  }

  /** Those that can hold what passes the filter. */
  async within({ sources, from = -Infinity, to = Infinity }: IndexFilter): Promise<Leaf[]> {
    const { partitionMs } = this.#options.space.layout
    const inTime = this.all.filter(
      ({ live, range }) =>
        live > 0 && (range === undefined || ((range + 1) * partitionMs > from && range * partitionMs < to)),
    )
    if (sources === undefined) return inTime
    const buckets = await this.#bucketsOf(sources)
    return inTime.filter(({ bucket }) => bucket === undefined || buckets.has(bucket))
  }

  /** Builds one graph that is due or drops one stretch of time that is empty. @returns whether there was one */
  async tend(signal: AbortSignal): Promise<boolean> {
    const { graphAt } = this.#options
    const due = this.all.find(({ graph, live }) => !graph && live >= graphAt)
    if (due !== undefined) {
      await this.#build(due, signal)
      return true
    }
    const live = new Map<number, number>()
    for (const leaf of this.all)
      if (leaf.range !== undefined) live.set(leaf.range, (live.get(leaf.range) ?? 0) + leaf.live)
    for (const [range, rows] of live) if (rows === 0 && (await this.#drop(range))) return true
    return false
  }

  /** A default partition keeps what came before its range was made: then that range stays there. */
  async #fits(query: Query, range: number, more: number): Promise<boolean> {
    const { space, maxLeaves } = this.#options
    const { table, layout } = space
    if (this.#leaves.size + more + layout.hashPartitions > maxLeaves) return false
    const rest = this.all.find(leaf => leaf.range === undefined)
    if (rest === undefined || rest.live === 0) return true
    const rows = await query(
      `SELECT 1 FROM ${table}_rest WHERE captured_at >= $1 AND captured_at < $2 LIMIT 1`,
      [range * layout.partitionMs, (range + 1) * layout.partitionMs],
    )
    return rows.length === 0
  }

  async #makeRange(query: Query, range: number): Promise<Leaf[]> {
    const { schema, table, id, layout } = this.#options.space
    const parent = this.#rangeName(range)
    await query(
      `CREATE TABLE ${schema}.${parent} PARTITION OF ${table}
       FOR VALUES FROM (${range * layout.partitionMs}) TO (${(range + 1) * layout.partitionMs}) PARTITION BY HASH (source)`,
    )
    const leaves: Leaf[] = []
    for (let bucket = 0; bucket < layout.hashPartitions; bucket++) {
      const name = `${parent}_${bucket}`
      await query(
        `CREATE TABLE ${schema}.${name} PARTITION OF ${schema}.${parent}
         FOR VALUES WITH (MODULUS ${layout.hashPartitions}, REMAINDER ${bucket})`,
      )
      await query(`INSERT INTO ${schema}.leaves (name, space, time_range, bucket) VALUES ($1, $2, $3, $4)`, [
        name,
        id,
        range,
        bucket,
      ])
      leaves.push({ name, range, bucket, live: 0, graph: false })
    }
    return leaves
  }

  /** Building from rows that are there is several times as fast as inserting them one by one into a graph. */
  async #build({ name, live }: Leaf, signal: AbortSignal): Promise<void> {
    const { sql, space, log } = this.#options
    const { schema, dim, extension, layout } = space
    const startedAt = performance.now()
    await sql.query(`DROP INDEX IF EXISTS ${schema}.${name}_hnsw`)
    // CONCURRENTLY: ingest and search go on meanwhile.
    await sql.patient(
      `CREATE INDEX CONCURRENTLY ${name}_hnsw ON ${schema}.${name}
       USING hnsw ((embedding::${extension.halfvec}(${dim})) ${extension.halfvecOps})
       WITH (m = ${layout.m}, ef_construction = ${layout.efConstruction})`,
      signal,
    )
    // What is removed and added meanwhile has changed the count.
    this.#leaves.set(name, { ...this.#leaves.get(name)!, graph: true })
    log.info({ leaf: name, vectors: live, tookMs: performance.now() - startedAt }, 'index graph built')
  }

  async #drop(range: number): Promise<boolean> {
    const { sql, space, log } = this.#options
    const { schema, id } = space
    const names = this.all.filter(leaf => leaf.range === range).map(({ name }) => name)
    const dropped = await sql.transaction(async query => {
      await claim(query, space, 0)
      const full = await query(`SELECT 1 FROM ${schema}.leaves WHERE name = ANY($1::text[]) AND live > 0`, [
        names,
      ])
      if (full.length > 0) return false
      await query(`DROP TABLE IF EXISTS ${schema}.${this.#rangeName(range)}`)
      await query(`DELETE FROM ${schema}.leaves WHERE space = $1 AND time_range = $2`, [id, range])
      return true
    })
    if (!dropped) return false
    for (const name of names) this.#leaves.delete(name)
    log.info({ leaves: names.length }, 'empty index partitions dropped')
    return true
  }

  /** PostgreSQL's own hash decides, so that it prunes as we do. */
  async #bucketsOf(sources: readonly number[]): Promise<Set<number>> {
    const { sql, space } = this.#options
    const { hashPartitions } = space.layout
    if (hashPartitions === 1) return new Set([0])
    const unknown = sources.filter(source => !this.#buckets.has(source))
    const some = this.all.find(({ range }) => range !== undefined)
    if (unknown.length > 0 && some?.range !== undefined) {
      const rows = await sql.query(
        `SELECT source, bucket FROM unnest($1::int[]) source, generate_series(0, $2::int - 1) bucket
         WHERE satisfies_hash_partition($3::text::regclass, $2::int, bucket, source)`,
        [unknown, hashPartitions, `${space.schema}.${this.#rangeName(some.range)}`],
      )
      for (const { source, bucket } of rows) this.#buckets.set(Number(source), Number(bucket))
    }
    return new Set(sources.flatMap(source => this.#buckets.get(source) ?? []))
  }

  #rangeName(range: number): string {
    return `${this.#options.space.name}_${range < 0 ? 'm' : ''}${Math.abs(range)}`
  }
}
