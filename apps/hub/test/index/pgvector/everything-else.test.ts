import type { PGlite } from '@electric-sql/pglite'
import { createLog } from '@sightline/core'
import { DriftReport } from '@sightline/hub/drift/drift-report.js'
import { openPostgresIndex } from '@sightline/hub/index/pgvector/postgres-index.js'
import { unavailable } from '@sightline/hub/index/pgvector/sql.js'
import { SavedSearches } from '@sightline/hub/search/saved-searches.js'
import type { SearchOptions } from '@sightline/hub/search/search.js'
import { postgresReader } from '@sightline/hub/verify/postgres-content.js'
import { verifyData } from '@sightline/hub/verify/verify-store.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPglite, PgliteSql, postgresOptions } from '../../../../../test/support/pglite-sql.ts'
import { nearUnit, randomUnit, seededRandom } from '../../../../../test/support/vectors.ts'
import { openSearchable, type Searchable } from '../../search/searchable.ts'

const DIM = 16
const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 20)
const FRAMES = 300
const SCHEMA = 'sightline'
const log = createLog({ name: 'test', level: 'silent' })
const random = seededRandom(51)
const street = randomUnit(DIM, random)
const parade = randomUnit(DIM, random)
const model = {
  fingerprint: 'test:000000000000',
  dim: DIM,
  manifest: { name: 'test', logitScale: 16 },
  encodeTexts: async () => [parade.slice()],
} as unknown as SearchOptions['model']

let db: PGlite
let hub: Searchable

/** A hub whose index is in PostgreSQL: 300 frames of a street, the newer half of them of yesterday. */
beforeAll(async () => {
  db = await openPglite()
  hub = await openSearchable({
    model,
    open: generation =>
      openPostgresIndex({
        ...postgresOptions(SCHEMA, DIM, 100),
        layout: { partitionMs: DAY, hashPartitions: 2, m: 16, efConstruction: 64 },
        fingerprint: model.fingerprint,
        generation,
        sql: new PgliteSql(db),
      }),
  })
  const frames = Array.from({ length: FRAMES }, (_, i) => ({
    vector: nearUnit(street, 0.3, random),
    capturedAt: i < FRAMES / 2 ? NOW - 5 * DAY + i * 1000 : NOW - DAY / 2 + i * 1000,
  }))
  for (let at = 0; at < FRAMES; at += 100) await hub.ingest.store(frames.slice(at, at + 100))
  await hub.keeper.caughtUp()
})
afterAll(async () => {
  await hub.close()
  await db.close()
})

const reader = () => postgresReader(() => new PgliteSql(db), SCHEMA)
const verify = async () => {
  const { ok, index, faults } = await verifyData(hub.root, reader())
  return { ok, index, faults: faults.map(({ kind, count }) => [kind, count]) }
}

test('verify compares the rows with the store, and leaves the index to its hub', async () => {
  expect(await verify()).toEqual({
    ok: true,
    index: { kind: 'postgres', segments: expect.any(Number), sealed: FRAMES, deleted: 0 },
    faults: [],
  })
  await hub.ingest.store([{ vector: street, capturedAt: NOW }])
  await hub.keeper.caughtUp()
  expect((await hub.keeper.search(street, 1))[0]?.ord).toBe(FRAMES + 1)
})

const leaves = `${SCHEMA}.leaves`
test.each<[string, string, object]>([
  [
    'missing',
    `WITH gone AS (DELETE FROM ${SCHEMA}.vectors_1 WHERE ord IN (7, 8) RETURNING tableoid)
     UPDATE ${leaves} SET live = live - n
     FROM (SELECT relname, count(*) AS n FROM gone JOIN pg_class c ON c.oid = gone.tableoid GROUP BY 1) AS g
     WHERE name = relname`,
    { 'missing from the index': 2 },
  ],
  ['miscounted', `UPDATE ${leaves} SET live = 0 WHERE live > 0`, { 'index damaged': expect.any(Number) }],
])('verify finds rows that are %s', async (_what, damage, faults) => {
  await db.exec(`BEGIN; ${damage}`)
  const found = await verify()
  await db.exec('ROLLBACK')
  expect(found.ok).toBe(false)
  expect(Object.fromEntries(found.faults as [string, number][])).toEqual(faults)
  expect((await verify()).ok).toBe(true)
})

test('verify counts rows of frames that the store has no more', async () => {
  const { ords } = await hub.store.deleteFrames({ filter: { to: NOW - 4 * DAY }, after: 0, rows: 5 })
  expect(await verify()).toMatchObject({ ok: true, index: { deleted: ords.length } })
  await hub.keeper.remove(ords)
  expect(await verify()).toMatchObject({ ok: true, index: { deleted: 0 } })
})

test('a saved search suggests thresholds and hears of new frames', async () => {
  const { store, search, ingest } = hub
  const saved = new SavedSearches({ environment: store.environment, search, ingest, log })
  await saved.start()
  expect(await saved.suggestions({ text: 'a parade' })).toHaveLength(3)
  const { id } = await saved.save({ name: 'parade', owner: 'ada', query: { text: 'a parade' }, at: NOW })
  const heard: number[] = []
  saved.onHit(({ frame }) => heard.push(frame.ord))
  await ingest.store([{ vector: street, capturedAt: NOW }])
  const { frames } = await ingest.store([{ vector: parade, capturedAt: NOW }])
  await saved.settled()
  expect(heard).toEqual([frames[0]!.ord])
  expect(saved.hits(id, 10).map(({ frameId }) => frameId)).toEqual([frames[0]!.id])
  await saved.stop()
})

test('the drift report compares what is stored', async () => {
  const drift = new DriftReport({ store: hub.store, model, clock: { now: () => NOW + 1 } })
  expect((await drift.report()).cameras).toMatchObject([{ camera: 'camera', level: 'none' }])
  await drift.stop()
})

test('a server that is away is a fault beside the findings about the store', async () => {
  const away = {
    kind: 'postgres' as const,
    read: () => Promise.reject(unavailable({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' })),
  }
  const { ok, frames, faults } = await verifyData(hub.root, away)
  expect({ ok, frames: frames > 0, kinds: faults.map(({ kind }) => kind) }).toEqual({
    ok: false,
    frames: true,
    kinds: ['index out of reach'],
  })
})

test('a schema that no hub has filled is empty, not damaged', async () => {
  expect(await postgresReader(() => new PgliteSql(db), 'nobody').read()).toMatchObject({
    segments: 0,
    upTo: 0,
  })
})
