import { nameOf } from './space.ts'
import { type Query, quoted, type Sql } from './sql.ts'

/** Numbers of one answer. */
const PAGE = 10_000

export interface SpaceContent {
  readonly fingerprint: string
  readonly lastOrd: number
  /** Partitions with a graph. */
  readonly graphs: number
  readonly ords: ReadonlySet<number>
  /** Partitions that hold another number of rows than the searches believe. */
  readonly miscounted: readonly string[]
}

/**
 * What is in a schema, without taking it over from the hub that writes it; undefined where no hub has begun one.
 * @throws INDEX_UNAVAILABLE
 */
export async function readSpace({ query }: Sql, schema: string): Promise<SpaceContent | undefined> {
  const at = quoted(schema)
  const [made] = await query('SELECT to_regclass($1) IS NOT NULL AS there', [`${at}.spaces`])
  if (made?.there !== true) return undefined
  const [space] = await query(`SELECT * FROM ${at}.spaces ORDER BY id DESC LIMIT 1`)
  if (space === undefined) return undefined
  const table = `${at}.${nameOf(Number(space.id))}`
  const ords = new Set<number>()
  for (let after = 0; ; ) {
    const page = await ordsAfter(query, table, { after, limit: PAGE })
    for (const ord of page) ords.add(ord)
    if (page.length < PAGE) break
    after = page.at(-1)!
  }
  // One statement sees one moment: rows and counts change in the same transaction.
  const leaves = await query(
    `SELECT l.name, l.live, coalesce(n, 0) AS rows,
            to_regclass($2 || '.' || l.name || '_hnsw') IS NOT NULL AS graph
     FROM ${at}.leaves l
     LEFT JOIN (SELECT tableoid, count(*) AS n FROM ${table} GROUP BY 1) c ON c.tableoid = to_regclass($2 || '.' || l.name)
     WHERE l.space = $1`,
    [Number(space.id), at],
  )
  return {
    fingerprint: String(space.fingerprint),
    lastOrd: Number(space.last_ord),
    graphs: leaves.filter(({ graph }) => graph === true).length,
    ords,
    miscounted: leaves
      .filter(({ live, rows }) => Number(live) !== Number(rows))
      .map(({ name, live, rows }) => `${name} is searched as ${live} rows, and has ${rows}`),
  }
}

/** Ascending. */
export async function ordsAfter(
  query: Query,
  table: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<number[]> {
  const rows = await query(`SELECT ord FROM ${table} WHERE ord > $1 ORDER BY ord LIMIT $2`, [after, limit])
  return rows.map(({ ord }) => Number(ord))
}
