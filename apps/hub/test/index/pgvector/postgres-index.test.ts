import type { PGlite } from '@electric-sql/pglite'
import { openPostgresIndex, type PostgresIndexOptions } from '@sightline/hub/index/pgvector/postgres-index.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HOUR_MS, openPglite, PgliteSql, postgresOptions } from '../../../../../test/support/pglite-sql.ts'
import { entriesOf, randomUnit, seededRandom } from '../../../../../test/support/vectors.ts'

const DIM = 16
const random = seededRandom(31)
const units = (count: number) => Array.from({ length: count }, () => randomUnit(DIM, random))

let db: PGlite
let schemas = 0
beforeAll(async () => {
  db = await openPglite()
  // As managed services do.
  await db.exec('CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions')
})
afterAll(() => db.close())

const fresh = () => `test_${schemas++}`
const open = (schema: string, more: Partial<PostgresIndexOptions> = {}) =>
  openPostgresIndex({ ...postgresOptions(schema, DIM, 100), sql: new PgliteSql(db), ...more })

const tables = async (schema: string) =>
  (
    await db.query<{ name: string }>('SELECT tablename AS name FROM pg_tables WHERE schemaname = $1', [
      schema,
    ])
  ).rows.length

test('rows, watermark and graphs are there when it is opened again', async () => {
  const schema = fresh()
  const entries = entriesOf(units(300))
  const first = await open(schema)
  await first.add(entries)
  await first.settled()
  const stats = first.stats()
  expect(stats).toMatchObject({ vectors: 300 })
  expect(stats.segments).toBeGreaterThan(0)
  expect(stats.bytes).toBeGreaterThan(0)
  await first.close()
  const second = await open(schema)
  expect(second.lastOrd).toBe(300)
  expect(second.stats()).toMatchObject({ vectors: 300, segments: stats.segments })
  expect((await second.search({ vector: entries[7]!.vector, k: 1 }))[0]).toMatchObject({ ord: 8 })
  await second.close()
})

test.each<[string, Partial<PostgresIndexOptions>]>([
  ['model', { fingerprint: 'other:1' }],
  ['generation of names', { generation: 'other' }],
  ['layout', { layout: { partitionMs: HOUR_MS, hashPartitions: 3, m: 8, efConstruction: 32 } }],
])('of another %s nothing is kept', async (_what, other) => {
  const schema = fresh()
  const first = await open(schema)
  await first.add(entriesOf(units(20)))
  await first.close()
  const second = await open(schema, other)
  expect(second.lastOrd).toBe(0)
  expect(second.stats().vectors).toBe(0)
  await second.add(entriesOf(units(5)))
  expect(second.stats().vectors).toBe(5)
  await second.close()
})

test('who opened the space last writes; the other hears of it', async () => {
  const schema = fresh()
  const first = await open(schema)
  await first.add(entriesOf(units(3)))
  const second = await open(schema)
  await expect(first.add(entriesOf(units(3), 4))).rejects.toMatchObject({ code: 'INDEX_UNAVAILABLE' })
  await expect(first.remove([1])).rejects.toMatchObject({ code: 'INDEX_UNAVAILABLE' })
  await second.add(entriesOf(units(3), 4))
  expect(second.stats().vectors).toBe(6)
  expect(await second.ords(0, 10)).toEqual([1, 2, 3, 4, 5, 6])
  await Promise.all([first.close(), second.close()])
})

test('hubs that start at once make the tables once', async () => {
  const schema = fresh()
  const opened = await Promise.all([open(schema), open(schema), open(schema)])
  expect(await tables(schema)).toBe(5)
  await Promise.all(opened.map(index => index.close()))
})

test('a stretch of time that is empty is dropped, and made again when something comes', async () => {
  const schema = fresh()
  const index = await open(schema)
  const [a, b] = units(2) as [Float32Array, Float32Array]
  await index.add([{ ord: 1, vector: a, source: 1, capturedAt: 5 * HOUR_MS }])
  const one = await tables(schema)
  await index.add([{ ord: 2, vector: b, source: 1, capturedAt: 9 * HOUR_MS }])
  expect(await tables(schema)).toBe(one + 3)
  expect(await index.remove([1])).toBe(1)
  await index.settled()
  expect(await tables(schema)).toBe(one)
  await index.add([{ ord: 3, vector: a, source: 1, capturedAt: 5 * HOUR_MS + 1 }])
  expect((await index.search({ vector: a, k: 9 })).map(hit => hit.ord)).toEqual([3, 2])
  await index.close()
})

test('times beyond all partitions are kept with the rest', async () => {
  const schema = fresh()
  const index = await open(schema, { maxLeaves: 5 })
  const [vector] = units(1) as [Float32Array]
  const times = [1, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]
  for (const [i, capturedAt] of times.entries())
    await index.add([{ ord: i + 1, vector, source: i, capturedAt }])
  expect((await index.search({ vector, k: 9 })).map(hit => hit.ord)).toEqual([4, 3, 2, 1])
  expect((await index.search({ vector, k: 9, filter: { from: HOUR_MS, sources: [1, 3] } })).length).toBe(2)
  await index.close()
})

test('a graph whose building was broken off is built anew', async () => {
  const schema = fresh()
  const first = await open(schema)
  await first.add(entriesOf(units(300)))
  await first.settled()
  const { segments } = first.stats()
  await first.close()
  await db.exec(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE '${schema}.%_hnsw'`,
  )
  const second = await open(schema)
  await second.settled()
  expect(second.stats().segments).toBe(segments)
  const invalid = await db.query('SELECT 1 FROM pg_index WHERE NOT indisvalid')
  expect(invalid.rows).toEqual([])
  await second.close()
})
