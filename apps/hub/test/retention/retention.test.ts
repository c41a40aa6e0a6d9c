import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@sightline/core'
import { Eraser } from '@sightline/hub/retention/eraser.js'
import { Retention } from '@sightline/hub/retention/retention.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const log = createLog({ name: 'test', level: 'silent' })
const vector = randomUnit(16, seededRandom(51))

let root: string
let store: RecordStore
let frames: FrameSource
let clock: FakeClock
let eraser: Eraser
let removed: number[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-retention-'))
  clock = new FakeClock()
  store = await openLmdbStore({ dir: root, clock, log, minFreeBytes: 0 })
  frames = new FrameSource(store)
  removed = []
  eraser = new Eraser({
    store,
    index: { remove: async ords => void removed.push(...ords) },
    saved: { countHits: () => 0, forgetHits: async () => 0 },
    log,
  })
})
afterEach(async () => {
  await store.close()
  await rm(root, { recursive: true })
})

/** `count` frames a day, one a day old, the next two days, and so on. */
const storeDays = (days: number, count: number, camera = 'camera') =>
  frames.append(
    Array.from({ length: days * count }, (_, i) => ({
      vector,
      camera,
      capturedAt: clock.now() - (1 + Math.floor(i / count)) * DAY,
    })),
  )
const retention = (settings: { days?: number; maxFramesPerCamera?: number }) =>
  new Retention({
    settings: { days: 0, maxFramesPerCamera: 0, ...settings },
    store,
    eraser,
    pictures: { sweep: async () => {} },
    clock,
    log,
  })

test('a device is erased with everything, and how much is told', async () => {
  await storeDays(3, 500)
  await frames.append([{ vector, node: 'other' }])
  const all = {
    frames: 1500,
    thumbnails: 0,
    bytes: 1500 * 64,
    incidents: 0,
    reviews: 0,
    savedSearchHits: 0,
    nodes: 1,
    receivedFrom: 1000,
  }
  expect(await eraser.measure({ site: 'site', node: 'node' })).toEqual(all)
  expect(removed).toEqual([])
  expect(await eraser.erase({ site: 'site', node: 'node' })).toEqual(all)
  expect(removed).toEqual(Array.from({ length: 1500 }, (_, i) => i + 1))
  expect(store.counts().frames).toBe(1)
  expect(eraser.totals).toEqual({ frames: 1500, bytes: 1500 * 64 })
  expect(await eraser.erase({ site: 'site', node: 'node' })).toMatchObject({ frames: 0, nodes: 0 })
})

test('a filter that names nothing erases nothing', async () => {
  await storeDays(1, 5)
  await expect(eraser.erase({ camera: undefined })).rejects.toMatchObject({ code: 'API_BAD_REQUEST' })
  expect(store.counts().frames).toBe(5)
})

test('ingest goes on while much is erased', async () => {
  await storeDays(10, 300)
  const erasing = eraser.erase({ to: clock.now() })
  let stored = 0
  for (let done = false; !done; ) {
    await frames.append([{ vector, capturedAt: clock.now() + 1 }])
    stored++
    done = await Promise.race([
      erasing.then(() => true),
      new Promise<false>(resolve => setImmediate(resolve, false)),
    ])
  }
  expect(stored).toBeGreaterThan(3)
  expect(store.counts().frames).toBe(stored)
})

test('what is older than the days to keep goes, at the start and then every hour', async () => {
  await storeDays(5, 10)
  const keeping = retention({ days: 3.5 })
  await keeping.start()
  await expect.poll(() => store.counts().frames).toBe(30)
  await expect.poll(() => clock.sleeping).toEqual([HOUR])
  for (let hour = 0; hour < 13; hour++) {
    await clock.advance(HOUR)
    await expect.poll(() => clock.sleeping).toEqual([HOUR])
  }
  expect(store.counts().frames).toBe(20)
  await keeping.stop()
  await keeping.stop()
})

test('of each camera the newest stay', async () => {
  await storeDays(1, 5000, 'busy')
  await storeDays(1, 12, 'calm')
  await retention({ maxFramesPerCamera: 4500 }).sweep()
  expect(removed).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
  await retention({ maxFramesPerCamera: 10 }).sweep()
  expect(store.recent({ camera: 'calm' }, 99)).toHaveLength(10)
  expect(store.recent({ camera: 'busy' }, 99)).toHaveLength(10)
})

test('nothing is deleted unless it is asked for', async () => {
  await storeDays(400, 1)
  const keeping = retention({})
  await keeping.start()
  await keeping.stop()
  expect(store.counts().frames).toBe(400)
})
