import { byRank } from '../top-k.ts'
import type { IndexFilter, IndexHit, IndexQuery } from '../vector-index.ts'
import { conditionOf } from './filter-sql.ts'
import type { Leaf, Leaves } from './leaves.ts'
import type { Space } from './space.ts'
import { type Query, quoted, type Row, type Sql } from './sql.ts'

/** A graph knows vectors in half precision: so many more of its best are compared exactly. */
const SPARE = 32
/** Who wants one row in so many or more of all has them compared. */
const LARGE_K = 20
/** pgvector's limit of `hnsw.ef_search`. */
const MAX_EF = 1000
/** A walk goes on until enough rows pass a filter, over 20,000 rows at most: beyond, comparing all is as fast. */
const ITERATIVE = { 'hnsw.iterative_scan': 'relaxed_order', 'hnsw.max_scan_tuples': 20_000 }

export interface NearestOptions {
  readonly sql: Sql
  readonly space: Space
  readonly leaves: Leaves
  readonly efSearch: number
  /** Where no more rows pass the filter they are all compared: as fast as a walk, and exact. */
  readonly exactRows: number
}

/** Finds the nearest rows: through the graphs where there are many, exactly where there are few. */
export class Nearest {
  readonly #options: NearestOptions

  constructor(options: NearestOptions) {
    this.#options = options
  }

  async search({ vector, k, filter = {}, exact = false }: IndexQuery): Promise<IndexHit[]> {
    const leaves = await this.#options.leaves.within(filter)
    if (k < 1 || leaves.length === 0) return []
    const text = vectorText(vector)
    const live = leaves.reduce((sum, leaf) => sum + leaf.live, 0)
    const byRow = exact || k * LARGE_K > live || !leaves.some(({ graph }) => graph)
    if (byRow || (await this.#areFew(filter))) return this.#exactly(text, k, filter)
    return this.#byGraphs(leaves, { text, k, filter })
  }

  async #areFew(filter: IndexFilter): Promise<boolean> {
    const { sql, space, exactRows } = this.#options
    const condition = conditionOf(filter, 1)
    if (condition === undefined) return false
    const [row] = await sql.query(
      `SELECT count(*) AS n FROM (SELECT 1 FROM ${space.table} WHERE ${condition.text} LIMIT ${exactRows + 1}) AS passing`,
      condition.params,
    )
    return Number(row!.n) <= exactRows
  }

  async #exactly(text: string, k: number, filter: IndexFilter): Promise<IndexHit[]> {
    const { sql, space } = this.#options
    const condition = conditionOf(filter, 2)
    // The graphs are over another expression, so that none of them can answer this.
    const rows = await sql.query(
      `SELECT ord, captured_at, ${similarity(space)} AS similarity FROM ${space.table}
       ${condition === undefined ? '' : `WHERE ${condition.text}`}
       ORDER BY similarity DESC, captured_at DESC, ord DESC LIMIT ${k}`,
      [text, ...(condition?.params ?? [])],
    )
    return rows.map(hitOf)
  }

  /** Each leaf gives its best; one that gives fewer than asked for has few that pass, and is then compared row by row. */
  async #byGraphs(
    leaves: readonly Leaf[],
    { text, k, filter }: { text: string; k: number; filter: IndexFilter },
  ): Promise<IndexHit[]> {
    const { sql, space, efSearch } = this.#options
    const wanted = 2 * k + SPARE
    const ef = Math.min(MAX_EF, Math.max(efSearch, wanted))
    return sql.transaction(async query => {
      // What has no graph has no other way than to sort.
      const plan = {
        'hnsw.ef_search': ef,
        enable_sort: 'off',
        ...(space.extension.iterative ? ITERATIVE : {}),
      }
      await set(query, plan)
      const walked = leaves.filter(({ graph }) => graph)
      const found = await this.#ask(query, { text, filter, limit: wanted, leaves: walked, exact: false })
      const counts = new Map<string, number>()
      for (const { leaf } of found) counts.set(String(leaf), (counts.get(String(leaf)) ?? 0) + 1)
      const short = walked.filter(
        ({ name, live }) => (counts.get(name) ?? 0) < Math.min(wanted, live) && live > 0,
      )
      const compared = [...leaves.filter(({ graph }) => !graph), ...short]
      if (compared.length > 0) await set(query, { enable_sort: 'on' })
      const rest = await this.#ask(query, { text, filter, limit: k, leaves: compared, exact: true })
      const hits = new Map([...found, ...rest].map(row => [Number(row.ord), hitOf(row)]))
      return [...hits.values()].sort(byRank).slice(0, k)
    })
  }

  async #ask(
    query: Query,
    ask: { text: string; filter: IndexFilter; limit: number; leaves: readonly Leaf[]; exact: boolean },
  ): Promise<Row[]> {
    const { space } = this.#options
    const { schema, dim, extension } = space
    if (ask.leaves.length === 0) return []
    const condition = conditionOf(ask.filter, 2)
    const where = condition === undefined ? '' : `WHERE ${condition.text}`
    const order = ask.exact
      ? 'similarity DESC, captured_at DESC, ord DESC'
      : `embedding::${extension.halfvec}(${dim}) ${extension.distance} $1::text::${extension.halfvec}(${dim})`
    const parts = ask.leaves.map(
      ({ name }) =>
        `(SELECT '${name}' AS leaf, ord, captured_at, ${similarity(space)} AS similarity FROM ${schema}.${quoted(name)} ${where} ORDER BY ${order} LIMIT ${ask.limit})`,
    )
    return query(parts.join(' UNION ALL '), [ask.text, ...(condition?.params ?? [])])
  }
}

/** For the transaction alone, in one round trip. The names and values are ours. */
async function set(query: Query, settings: Readonly<Record<string, string | number>>): Promise<void> {
  const parts = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true)`)
  await query(`SELECT ${parts.join(', ')}`)
}

/** `$1` as text is cast twice: to the precision of the table and to that of the graphs. */
function similarity({ extension, dim }: Space): string {
  return `-(embedding ${extension.distance} $1::text::${extension.vector}(${dim}))`
}

export function vectorText(vector: Float32Array): string {
  return `[${vector.join()}]`
}

function hitOf(row: Row): IndexHit {
  return {
    ord: Number(row.ord),
    capturedAt: Number(row.captured_at),
    similarity: Number(row.similarity),
  }
}
