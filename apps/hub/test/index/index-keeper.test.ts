import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { createLog, systemClock } from '@sightline/core'
import { IndexKeeper } from '@sightline/hub/index/index-keeper.js'
import { type SpawnWorker, spawnSegmentWorker } from '@sightline/hub/index/worker-channel.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const DIM = 16
const MODEL = { fingerprint: 'test:000000000000', dim: DIM }
const log = createLog({ name: 'test', level: 'silent' })
const random = seededRandom(21)
const unit = () => randomUnit(DIM, random)

const readers: Worker[] = []
const spawn: SpawnWorker = start => {
  const worker = spawnSegmentWorker(start)
  if (start.role === 'read') readers.push(worker)
  return worker
}

let root: string
let store: RecordStore
let ingest: FrameSource
let keeper: IndexKeeper

async function openStore(name = 'store'): Promise<void> {
  store = await openLmdbStore({ dir: join(root, name), clock: systemClock, log, minFreeBytes: 0 })
  ingest = new FrameSource(store)
}

async function startKeeper(): Promise<void> {
  keeper = new IndexKeeper({
    settings: { dir: join(root, 'index'), sealAt: 64, spawn },
    store,
    ingest,
    model: MODEL,
    log,
  })
  await keeper.start()
  await keeper.caughtUp()
}

async function settled(): Promise<void> {
  await expect.poll(() => keeper.stats().tail).toBeLessThan(64)
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-keeper-'))
  await openStore()
  await startKeeper()
})
afterEach(async () => {
  await keeper.stop()
  await store.close()
  await rm(root, { recursive: true })
})

const ords = async (vector: Float32Array, k: number, filter = {}) =>
  (await keeper.search(vector, k, filter)).map(hit => hit.ord)

test('before it has been started a search is refused, not answered from a part', async () => {
  const idle = new IndexKeeper({ settings: { dir: root }, store, ingest, model: MODEL, log })
  expect(idle.ready).toBe(false)
  await expect(idle.search(unit(), 1)).rejects.toMatchObject({ code: 'NOT_READY' })
  await idle.stop()
})

test('a stored frame is found at once; site, node, camera and time are filtered by', async () => {
  expect(keeper.ready).toBe(true)
  const vector = unit()
  await ingest.store([{ vector, camera: 'a', capturedAt: 100 }])
  await ingest.store([{ vector, camera: 'b', capturedAt: 200 }])
  await ingest.store([{ vector, site: 'other', camera: 'a', capturedAt: 300 }])
  await ingest.store([{ vector, node: 'second', camera: 'a', capturedAt: 400 }])
  expect(await ords(vector, 9)).toEqual([4, 3, 2, 1])
  expect(await ords(vector, 9, { camera: 'a' })).toEqual([4, 3, 1])
  expect(await ords(vector, 9, { site: 'site', camera: 'a' })).toEqual([4, 1])
  expect(await ords(vector, 9, { node: 'second' })).toEqual([4])
  expect(await ords(vector, 9, { from: 200, to: 400 })).toEqual([3, 2])
  expect(await ords(vector, 9, { camera: 'unknown' })).toEqual([])
})

test('news that was missed or came out of order is read from the store', async () => {
  const vectors = Array.from({ length: 3 }, unit)
  const results = []
  for (const vector of vectors) results.push(await ingest.append([{ vector }]))
  ingest.emit(results[2]!)
  ingest.emit(results[1]!)
  await keeper.caughtUp()
  for (const [i, vector] of vectors.entries()) expect(await ords(vector, 1)).toEqual([i + 1])
  expect(keeper.stats().vectors).toBe(3)
})

test('sites, cameras in full and what the rules said are filtered by', async () => {
  const vector = unit()
  const verdict = (rule: string, fired: boolean) => ({ rule, fired, score: 0.5, similarity: 0.2 })
  await ingest.store([{ vector, camera: 'a', verdicts: [verdict('fire', true), verdict('smoke', false)] }])
  await ingest.store([{ vector, camera: 'b', verdicts: [verdict('fire', false)] }])
  await ingest.store([{ vector, camera: 'a', site: 'other' }])
  expect(await ords(vector, 9, { sites: ['other'] })).toEqual([3])
  expect(await ords(vector, 9, { cameras: ['site/node/a', 'other/node/b'] })).toEqual([1])
  expect(await ords(vector, 9, { rule: 'fire' })).toEqual([2, 1])
  expect(await ords(vector, 9, { rule: 'fire', fired: true })).toEqual([1])
  expect(await ords(vector, 9, { rule: 'fire', fired: false, camera: 'a' })).toEqual([])
  expect(await ords(vector, 9, { fired: true })).toEqual([1])
  expect(await ords(vector, 9, { fired: false })).toEqual([3, 2])
  expect(await ords(vector, 9, { rule: 'unheard of' })).toEqual([])
})

test('deleted frames are gone at once, after a restart, and after the index was lost', async () => {
  const vectors = Array.from({ length: 300 }, unit)
  for (let at = 0; at < vectors.length; at += 50)
    await ingest.store(vectors.slice(at, at + 50).map((vector, i) => ({ vector, camera: `c${i % 2}` })))
  await settled()
  const gone = [11, 12, 299, 300]
  const expectGone = async () => {
    expect(keeper.stats().vectors).toBe(296)
    for (const ord of gone) expect((await ords(vectors[ord - 1]!, 300)).includes(ord)).toBe(false)
    expect(await ords(vectors[99]!, 1)).toEqual([100])
  }
  const remove = async (ord: number) =>
    (await store.deleteFrames({ filter: {}, after: ord - 1, upTo: ord, rows: 1 })).ords
  for (const ord of [11, 299]) await keeper.remove(await remove(ord))
  // As after a crash between the two: the store has done it, the index was not told.
  for (const ord of [12, 300]) await remove(ord)
  await keeper.stop()
  await startKeeper()
  await expectGone()
  expect(keeper.background).toHaveLength(296)
  await keeper.stop()
  await rm(join(root, 'index'), { recursive: true })
  await startKeeper()
  await expectGone()
})

test('what is stored in the very moment in which the last frame was taken in is not left behind', async () => {
  // Neither a scan nor another frame follows: every distance of the two, in microtasks, must do.
  for (let distance = 0; distance < 60; distance++) {
    const [first, second] = [
      await ingest.append([{ vector: unit() }]),
      await ingest.append([{ vector: unit() }]),
    ]
    ingest.emit(first)
    for (let i = 0; i < distance; i++) await Promise.resolve()
    ingest.emit(second)
    await expect.poll(() => keeper.stats().vectors).toBe(2 * (distance + 1))
  }
})

test('frames of other models are counted and passed over', async () => {
  const vector = unit()
  await ingest.store([{ vector, fingerprint: 'other:000000000000' }])
  await ingest.store([{ vector: randomUnit(2 * DIM, random), fingerprint: 'other:000000000000' }])
  await ingest.store([{ vector }])
  expect(await ords(vector, 9)).toEqual([3])
  expect(keeper.stats()).toMatchObject({ vectors: 1, otherModels: 2 })
})

test('a frame of the wrong length under the right fingerprint does not keep its neighbours out', async () => {
  const vector = unit()
  await ingest.store([{ vector: randomUnit(2 * DIM, random) }, { vector }])
  await keeper.caughtUp()
  expect(await ords(vector, 9)).toEqual([2])
})

test('after a restart it continues from the sealed segments and knows the same background', async () => {
  const vectors = Array.from({ length: 700 }, unit)
  for (let at = 0; at < vectors.length; at += 50)
    await ingest.store(vectors.slice(at, at + 50).map((vector, i) => ({ vector, camera: `c${i % 5}` })))
  await settled()
  const before = keeper.background.map(vector => vector.join())
  expect(before).toHaveLength(512)
  await keeper.stop()
  await ingest.append([{ vector: unit(), camera: 'late' }])
  await startKeeper()
  expect(keeper.stats()).toMatchObject({ vectors: 701 })
  expect(keeper.stats().segments).toBeGreaterThan(0)
  expect(await ords(vectors[123]!, 1)).toEqual([124])
  expect(await ords(vectors[123]!, 1, { camera: 'late' })).toEqual([701])
  expect(await ords(vectors[123]!, 1, { camera: 'c3' })).toEqual([124])
  const after = new Set(keeper.background.map(vector => vector.join()))
  // One frame came between; it may have taken one place.
  expect(before.filter(vector => after.has(vector)).length).toBeGreaterThanOrEqual(511)
})

test('without its source table the index is built anew: old numbers are not believed', async () => {
  const vectors = Array.from({ length: 200 }, unit)
  for (const [i, vector] of vectors.entries()) await ingest.store([{ vector, camera: `c${i % 3}` }])
  await settled()
  await keeper.stop()
  await rm(join(root, 'index', 'sources.json'))
  await startKeeper()
  expect(keeper.stats().vectors).toBe(200)
  expect(await ords(vectors[100]!, 1, { camera: 'c1' })).toEqual([101])
  expect(await ords(vectors[100]!, 200, { camera: 'c2' })).toHaveLength(66)
})

test('segments damaged while they are in use are filled again from the store', async () => {
  const vectors = Array.from({ length: 200 }, unit)
  for (const vector of vectors) await ingest.store([{ vector }])
  await settled()
  for (const name of await readdir(join(root, 'index')))
    if (name.endsWith('.rows')) await truncate(join(root, 'index', name), 100)
  await readers.at(-1)!.terminate()
  await keeper.search(vectors[0]!, 1)
  await keeper.caughtUp()
  expect(keeper.ready).toBe(true)
  expect(keeper.stats().vectors).toBe(200)
  expect(await ords(vectors[0]!, 1)).toEqual([1])
})

test('an index that knows more than the store is built anew', async () => {
  await ingest.store(Array.from({ length: 150 }, () => ({ vector: unit() })))
  await settled()
  await keeper.stop()
  await store.close()
  await openStore('new')
  const vector = unit()
  await ingest.append([{ vector }])
  await startKeeper()
  expect(await ords(vector, 5)).toEqual([1])
})
