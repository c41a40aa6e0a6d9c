import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createLog, systemClock } from '@sightline/core'
import { IndexKeeper } from '@sightline/hub/index/index-keeper.js'
import { openPostgresIndex } from '@sightline/hub/index/pgvector/postgres-index.js'
import { type Query, type Sql, unavailable } from '@sightline/hub/index/pgvector/sql.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openPglite, PgliteSql, postgresOptions } from '../../../../../test/support/pglite-sql.ts'
import { PostgresServer, poolOf, postgresMissing } from '../../../../../test/support/postgres-server.ts'
import { FrameSource } from '../../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../../test/support/vectors.ts'

const DIM = 16
const MODEL = { fingerprint: 'test:0', dim: DIM }
const log = createLog({ name: 'test', level: 'silent' })
const random = seededRandom(41)
const unit = () => randomUnit(DIM, random)
/** Back-off in no time. */
const clock = {
  ...systemClock,
  sleep: (_ms: number, signal?: AbortSignal) => pause(5, undefined, { signal }),
}

interface Database {
  sql(): Sql
  start(): Promise<void>
  halt(): Promise<void>
  remove(): Promise<void>
}

/** A database in this process whose network can be cut. */
async function inProcess(): Promise<Database> {
  const db = await openPglite()
  let cut = true
  const through = (): void => {
    if (cut) throw unavailable({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' })
  }
  class Cut extends PgliteSql {
    override readonly query: Query = async (text, params = []) => {
      through()
      return (await db.query<never>(text, [...params])).rows
    }
    override async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
      through()
      return super.transaction(work)
    }
  }
  return {
    sql: () => new Cut(db),
    start: async () => {
      cut = false
    },
    halt: async () => {
      cut = true
    },
    remove: () => db.close(),
  }
}

async function ofItsOwn(): Promise<Database> {
  const server = new PostgresServer()
  return {
    sql: () => poolOf(server.url),
    start: () => server.start(),
    halt: () => server.halt(),
    remove: () => server.remove(),
  }
}

const missing = postgresMissing()
if (missing !== undefined) process.stdout.write(`skipped: outages of a real PostgreSQL: ${missing}\n`)

describe.each([
  ['PGlite', inProcess],
  ...(missing === undefined ? ([['PostgreSQL', ofItsOwn]] as const) : []),
] as const)('%s goes away', { timeout: 120_000 }, (_name, make) => {
  let root: string
  let store: RecordStore
  let ingest: FrameSource
  let database: Database
  let keeper: IndexKeeper

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sightline-outage-'))
    store = await openLmdbStore({ dir: join(root, 'store'), clock: systemClock, log, minFreeBytes: 0 })
    ingest = new FrameSource(store)
    database = await make()
    keeper = new IndexKeeper({
      settings: { dir: join(root, 'index') },
      store,
      ingest,
      model: MODEL,
      log,
      clock,
      open: generation =>
        openPostgresIndex({ ...postgresOptions('sightline', DIM, 100), generation, sql: database.sql() }),
    })
  })
  afterEach(async () => {
    await keeper.stop()
    await store.close()
    await database.remove()
    await rm(root, { recursive: true })
  })

  const put = (vector: Float32Array) => ingest.store([{ vector, fingerprint: MODEL.fingerprint }])
  const best = async (vector: Float32Array) => (await keeper.search(vector, 1))[0]?.ord

  test('at the start: what is stored meanwhile is found once it is there', async () => {
    const vectors = [unit(), unit(), unit()] as const
    await put(vectors[0])
    await keeper.start()
    expect(keeper.ready).toBe(false)
    await expect(keeper.search(vectors[0], 1)).rejects.toMatchObject({
      code: 'INDEX_UNAVAILABLE',
      status: 503,
    })
    await put(vectors[1])
    await database.start()
    await expect.poll(() => keeper.ready).toBe(true)
    await put(vectors[2])
    await keeper.caughtUp()
    for (const [i, vector] of vectors.entries()) expect(await best(vector)).toBe(i + 1)
  })

  test('in between: storing goes on, the index catches up, what was deleted meanwhile is gone', async () => {
    await database.start()
    await keeper.start()
    const vectors = Array.from({ length: 30 }, unit)
    for (const vector of vectors.slice(0, 10)) await put(vector)
    await keeper.caughtUp()
    expect(keeper.stats().vectors).toBe(10)
    await database.halt()
    for (const vector of vectors.slice(10)) await put(vector)
    await expect.poll(() => best(vectors[0]!).catch(error => error.code)).toBe('INDEX_UNAVAILABLE')
    const step = await store.deleteFrames({ filter: { camera: 'camera', to: 5000 }, after: 0, rows: 512 })
    await keeper.remove(step.ords)
    await database.start()
    await expect.poll(() => keeper.ready).toBe(true)
    expect(step.ords.length).toBeGreaterThan(0)
    expect(keeper.stats().vectors).toBe(30 - step.ords.length)
    expect(await best(vectors[29]!)).toBe(30)
    expect(await best(vectors[0]!)).not.toBe(1)
  })
})
