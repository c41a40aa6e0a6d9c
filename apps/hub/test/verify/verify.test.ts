import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLog, systemClock } from '@sightline/core'
import { IndexKeeper } from '@sightline/hub/index/index-keeper.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { segmentReader } from '@sightline/hub/verify/segment-content.js'
import { verifyData } from '@sightline/hub/verify/verify-store.js'
import { open } from 'lmdb'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const DIM = 16
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const random = seededRandom(5)
let dataDir: string

/** A data directory with 300 frames, most of them sealed into index segments. */
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sightline-verify-'))
  const log = createLog({ name: 'test', level: 'silent' })
  const store = await openLmdbStore({ dir: join(dataDir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  const ingest = new FrameSource(store)
  const model = { fingerprint: 'test:000000000000', dim: DIM }
  const settings = { dir: join(dataDir, 'index'), sealAt: 64 }
  const keeper = new IndexKeeper({ settings, store, ingest, model, log })
  for (let i = 0; i < 30; i++)
    await ingest.append(Array.from({ length: 10 }, () => ({ vector: randomUnit(DIM, random) })))
  await keeper.start()
  await keeper.caughtUp()
  await vi.waitFor(() => expect(keeper.stats().segments).toBeGreaterThan(0), 20_000)
  await keeper.stop()
  await store.close()
})
afterAll(() => rm(dataDir, { recursive: true }))

const command = (...options: string[]) =>
  new Promise<{ code: number; stdout: string }>(resolve => {
    const env = { ...process.env, SIGHTLINE_DATA_DIR: dataDir }
    execFile(process.execPath, [MAIN, 'verify', ...options], { env }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout }),
    )
  })

test('what a hub has written is sound', async () => {
  const report = await verifyData(dataDir, segmentReader(join(dataDir, 'index')))
  expect(report).toMatchObject({
    ok: true,
    frames: 300,
    fingerprints: { 'test:000000000000': 300 },
    faults: [],
  })
  expect(report.index.sealed).toBeGreaterThanOrEqual(64)
  expect(report.norms!.max).toBeCloseTo(1, 4)
  const { code, stdout } = await command()
  expect([code, stdout]).toEqual([0, expect.stringContaining('sound')])
})

test('every kind of damage is found, counted and exemplified, and the exit code is 1', async () => {
  const root = open({ path: join(dataDir, 'store'), maxDbs: 32, overlappingSync: false })
  const [vectors, thumbnails] = [
    root.openDB<Buffer, number>('vectors', { encoding: 'binary' }),
    root.openDB<Buffer, number>('thumbnails', { encoding: 'binary' }),
  ]
  await vectors.put(3, Buffer.from(new Float32Array(DIM).fill(1).buffer))
  await vectors.put(4, Buffer.from(randomUnit(DIM - 1, random).buffer))
  await vectors.remove(5)
  await vectors.put(9000, Buffer.from(randomUnit(DIM, random).buffer))
  await thumbnails.put(9001, Buffer.of(1))
  await root.openDB<number, string>('ords', {}).put('no~such~frame~1', 9002)
  await root.close()
  const image = (await readdir(join(dataDir, 'index'))).find(
    name => name.startsWith('segment') && !name.endsWith('.json'),
  )!
  await writeFile(join(dataDir, 'index', image), 'damaged')
  const { code, stdout } = await command('--json')
  expect(code).toBe(1)
  const { faults, ok } = JSON.parse(stdout)
  expect(ok).toBe(false)
  const found = Object.fromEntries(
    faults.map(({ kind, count }: { kind: string; count: number }) => [kind, count]),
  )
  expect(found).toEqual({
    'vector not of unit length': 1,
    'vector of another length than its model': 1,
    'vector missing': 1,
    'orphan vector': 1,
    'orphan thumbnail': 1,
    'orphan id': 1,
    'index damaged': 1,
  })
})

test('an index in PostgreSQL that is out of reach is said so, beside what was found in the store', async () => {
  const file = join(dataDir, 'hub.yaml')
  await writeFile(
    file,
    'index: { kind: postgres, postgres: { url: "postgresql://u:secret@127.0.0.1:1/none" } }',
  )
  const { code, stdout } = await command('--config', file)
  expect(code).toBe(1)
  expect(stdout).toContain('index out of reach: 1')
  expect(stdout).toContain('graphs in PostgreSQL')
  expect(stdout).not.toContain('secret')
})

test('a directory without a store is refused', async () => {
  await expect(verifyData(join(dataDir, 'nothing'), segmentReader(dataDir))).rejects.toMatchObject({
    code: 'STORE_FAILED',
  })
})
