import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { DataHold, HOLD_FILE, holderOf } from '@sightline/hub/store/data-hold.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { restoreSnapshot, takeSnapshot } from '@sightline/hub/store/snapshot.js'
import { open } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const log = createLog({ name: 'test', level: 'silent' })
const vector = randomUnit(16, seededRandom(61))
let root: string
let store: RecordStore
let frames: FrameSource
const at = (...parts: string[]) => join(root, ...parts)
const openStore = (dir: string) =>
  openLmdbStore({ dir: at(dir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
const take = (dir: string) => takeSnapshot({ dataDir: at('data'), dir: at(dir), version: '1.2.3' })
const restore = (dir: string, force = false) => restoreSnapshot({ dataDir: at('new'), dir: at(dir), force })

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-snapshot-'))
  store = await openStore('data')
  frames = new FrameSource(store)
  await mkdir(at('data', 'keys'))
  writeFileSync(at('data', 'keys', 'a.pem'), 'key', { mode: 0o600 })
  await mkdir(at('data', 'index'))
  writeFileSync(at('data', 'index', 'segments.json'), '{}')
  await frames.append(Array.from({ length: 50 }, () => ({ vector })))
})
afterEach(async () => {
  await store.close()
  await rm(root, { recursive: true })
})

test('every LMDB environment is copied as one, private keys stay private', async () => {
  const rules = open({ path: at('data', 'rules'), overlappingSync: false })
  await rules.put('rule', 'fire')
  const { files } = await take('copy')
  await rules.put('rule', 'smoke')
  expect(files.map(file => file.path).sort()).toEqual(['keys/a.pem', 'rules/data.mdb', 'store/data.mdb'])
  await rules.close()
  await restore('copy')
  expect(statSync(at('new', 'keys', 'a.pem')).mode & 0o777).toBe(0o600)
  const back = open({ path: at('new', 'rules'), readOnly: true })
  expect(back.get('rule')).toBe('fire')
  await back.close()
})

test('copies a store in use as it is at one moment, and brings it back', async () => {
  let writing = true
  let written = 50
  const writer = (async () => {
    while (writing) {
      await frames.append([{ vector }])
      written++
    }
  })()
  const { files } = await take('copy')
  writing = false
  await writer
  expect(files.map(file => file.path).sort()).toEqual(['keys/a.pem', 'store/data.mdb'])
  await restore('copy')
  expect(readFileSync(at('new', 'keys', 'a.pem'), 'utf8')).toBe('key')
  expect(readdirSync(at('new')).sort()).toEqual(['keys', 'store'])
  const back = await openStore('new')
  const count = back.counts().frames
  expect(count).toBeGreaterThanOrEqual(50)
  expect(count).toBeLessThanOrEqual(written)
  expect(back.lastOrd()).toBe(count)
  expect([...back.scan(0)].map(frame => frame.ord)).toEqual(Array.from({ length: count }, (_, i) => i + 1))
  expect(back.frameByOrd(1)!.vector).toEqual(vector)
  await back.close()
})

test('what was deleted is in no copy', async () => {
  const text = Buffer.from('a very particular thumbnail')
  await store.append({
    site: 'site',
    node: 'node',
    session: '01J0000000000000000000000Z',
    fingerprint: 'test:000000000000',
    historical: false,
    receivedAt: 1,
    frames: [{ seq: 1, camera: 'secret', capturedAt: 1, vector, verdicts: [], thumbnail: text }],
    events: [],
    skipped: [],
  })
  await take('with')
  await store.deleteFrames({ filter: { camera: 'secret' }, after: 0, rows: 99 })
  await take('without')
  expect(readFileSync(at('with', 'store', 'data.mdb')).includes(text)).toBe(true)
  expect(readFileSync(at('without', 'store', 'data.mdb')).includes(text)).toBe(false)
})

test.each([
  ['a changed byte', (path: string) => change(path, bytes => (bytes[bytes.length >> 1]! ^= 1))],
  ['a missing end', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, -1))],
] as const)('%s anywhere is found before anything is touched', async (_name, damage) => {
  await mkdir(at('new'))
  writeFileSync(at('new', 'mine'), 'x')
  for (const file of ['snapshot.json', 'store/data.mdb', 'keys/a.pem']) {
    await take(`copy-${file.length}`)
    damage(at(`copy-${file.length}`, file))
    await expect(restore(`copy-${file.length}`, true)).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' })
    expect(readdirSync(at('new'))).toEqual(['mine'])
  }
})

test('neither a snapshot nor a data directory is overwritten unasked', async () => {
  await take('copy')
  await expect(take('copy')).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED' })
  await expect(takeSnapshot({ dataDir: at('nothing'), dir: at('c'), version: '1' })).rejects.toMatchObject({
    code: 'SNAPSHOT_REFUSED',
  })
  await mkdir(at('new'))
  writeFileSync(at('new', 'mine'), 'x')
  await expect(restore('copy')).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED' })
  await restore('copy', true)
  expect(readdirSync(at('new')).sort()).toEqual(['keys', 'store'])
})

test('a hub that runs is not restored over; one that was killed is no hindrance', async () => {
  await take('copy')
  await mkdir(at('new'))
  const hold = new DataHold({ dir: at('new') })
  await hold.start()
  expect(readFileSync(at('new', HOLD_FILE), 'utf8')).toBe(String(process.pid))
  // Another process than this one: the parent surely runs.
  writeFileSync(at('new', HOLD_FILE), String(process.ppid))
  expect(holderOf(at('new'))).toBe(process.ppid)
  await expect(restore('copy')).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED', message: /process/ })
  await hold.stop()
  expect(holderOf(at('new'))).toBeUndefined()
  writeFileSync(at('new', HOLD_FILE), '4194304999')
  expect(holderOf(at('new'))).toBeUndefined()
})

test('a crash while copying leaves no snapshot, one while restoring can be repeated', async () => {
  const crash = (point: string) => ({
    failPoint: (name: string) => {
      if (name === point) throw new Error('crash')
    },
  })
  for (const point of ['store copied', 'files copied']) {
    const options = { dataDir: at('data'), dir: at('copy'), version: '1', ...crash(point) }
    await expect(takeSnapshot(options)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(existsSync(at('copy'))).toBe(false)
  }
  await take('copy')
  for (const point of ['restore staged', 'old data removed']) {
    const options = { dataDir: at('new'), dir: at('copy'), force: true, ...crash(point) }
    await expect(restoreSnapshot(options)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  }
  await restore('copy')
  expect(readdirSync(at('new')).sort()).toEqual(['keys', 'store'])
})

function change(path: string, by: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  by(bytes)
  writeFileSync(path, bytes)
}
