import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, fault, systemClock } from '@sightline/core'
import { type LmdbRecordStore, openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { takeSnapshot } from '@sightline/hub/store/snapshot.js'
import { readNote, withNote } from '@sightline/hub/store/snapshot-note.js'
import { StorageReport, stateOf } from '@sightline/hub/store/storage-report.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SESSION } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const log = createLog({ name: 'test', level: 'silent' })
const GIB = 2 ** 30
let root: string
let dataDir: string
let store: LmdbRecordStore
let clock: FakeClock
let report: StorageReport

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-storage-'))
  dataDir = join(root, 'data')
  store = await openLmdbStore({ dir: join(dataDir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  clock = new FakeClock()
  report = new StorageReport({ dataDir, root: store.environment.root, minFreeBytes: 0, clock })
})
afterEach(async () => {
  await store.close()
  await rm(root, { recursive: true })
})

async function storeFrames(count: number, thumbnailBytes: number): Promise<void> {
  const random = seededRandom(7)
  await store.append({
    site: 'site',
    node: 'node',
    session: SESSION,
    fingerprint: 'test:000000000000',
    historical: false,
    receivedAt: 1,
    frames: Array.from({ length: count }, (_, i) => ({
      seq: i + 1,
      camera: 'gate',
      capturedAt: i,
      vector: randomUnit(512, random),
      verdicts: [],
      thumbnail: new Uint8Array(thumbnailBytes),
    })),
    events: [],
    skipped: [],
  })
}

describe('the storage report', () => {
  it('says what takes up the room, to the page of the database', async () => {
    await storeFrames(100, 9000)
    await writeFile(join(dataDir, 'hub.pid'), '1')
    const { disk, parts, thumbnails, vectors, snapshot } = await report.read()
    expect(disk).toMatchObject({ minFreeBytes: 0 })
    expect(disk.freeBytes).toBeLessThanOrEqual(disk.totalBytes)
    expect(thumbnails.count).toBe(100)
    expect(thumbnails.bytes).toBeGreaterThanOrEqual(100 * 9000)
    expect(thumbnails.bytes).toBeLessThan(100 * 9000 * 1.5)
    expect(vectors.count).toBe(100)
    expect(vectors.bytes).toBeGreaterThanOrEqual(100 * 512 * 4)
    expect(parts.store).toBeGreaterThanOrEqual(thumbnails.bytes + vectors.bytes)
    expect(parts.other).toBeGreaterThan(0)
    expect(parts.index).toBe(0)
    expect(snapshot).toBeUndefined()
  })

  it('looks through the directory no more than every ten seconds', async () => {
    const before = await report.read()
    await storeFrames(10, 100)
    expect(await report.read()).toBe(before)
    await clock.advance(10_000)
    expect((await report.read()).vectors.count).toBe(10)
  })

  it.each([
    [300 * GIB, 'ok'],
    [49 * GIB, 'low'],
    [GIB / 8, 'refusing'],
  ])('calls a disk of a tebibyte with %d bytes free %s', (freeBytes, state) => {
    expect(stateOf({ freeBytes, totalBytes: 1024 * GIB, minFreeBytes: GIB / 4 })).toBe(state)
  })
})

describe('the note of a snapshot', () => {
  const take = (dir: string) =>
    withNote(dataDir, () => takeSnapshot({ dataDir, dir: join(root, dir), version: '1.2.3' }))

  it('tells the hub, and does not go into the next copy', async () => {
    await take('first')
    const second = await take('second')
    expect(second.files.map(({ path }) => path)).toEqual(['store/data.mdb'])
    const { snapshot } = await report.read()
    expect(snapshot).toEqual({ at: second.createdAt, bytes: second.files[0]?.bytes, error: null })
  })

  it('tells of a failure, too', async () => {
    await take('first')
    await expect(take('first')).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED' })
    expect(await readNote(dataDir)).toMatchObject({ bytes: 0, error: 'SNAPSHOT_REFUSED' })
  })

  it('is left out where it cannot be written', async () => {
    const failing = withNote(join(root, 'nowhere'), async () => {
      throw fault('SNAPSHOT_REFUSED', 'nothing there')
    })
    await expect(failing).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED' })
    expect(await readNote(join(root, 'nowhere'))).toBeUndefined()
  })
})
