import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { audit } from '../support/delivery-audit.ts'
import { DeliveryLedger, readLedger } from '../support/delivery-ledger.ts'
import { brokenPayload, isPublish, packetsOf } from '../support/mqtt-mutations.ts'
import { seededRandom } from '../support/vectors.ts'
import { breach } from './report.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'audit-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A store that has the frames 1 to `count` of `dock-1`. */
async function storeOf(count: number): Promise<void> {
  const log = createLog({ name: 'test', level: 'silent' })
  const store = await openLmdbStore({ dir: join(dir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  await store.append({
    site: 'default',
    node: 'dock-1',
    session: '01J00000000000000000000000',
    fingerprint: 'test:000000000000',
    historical: false,
    receivedAt: 1,
    frames: Array.from({ length: count }, (_, i) => ({
      seq: i + 1,
      camera: 'yard',
      capturedAt: i,
      vector: Float32Array.of(1, 0),
      verdicts: [],
    })),
    events: [],
    skipped: [],
  })
  await store.close()
}

it('sees what was acknowledged and is not there', async () => {
  await storeOf(8)
  const ledger = await DeliveryLedger.open(join(dir, 'ledger'))
  for (let seq = 1; seq <= 10; seq++) ledger.sent('dock-1', seq)
  ledger.acknowledged('dock-1', [[1, 9]])
  await ledger.close()
  expect(ledger.acknowledgedCount).toBe(9)
  const row = await audit({ scenario: 'a lossy hub', ledger: ledger.path, dataDir: dir })
  expect(row).toMatchObject({ sent: 10, acknowledged: 9, stored: 8, duplicates: 0, lost: 1 })
  expect(breach(row)).toMatch(/1 acknowledged/)
})

it('reads a ledger whose last line a crash has cut off', async () => {
  const ledger = await DeliveryLedger.open(join(dir, 'ledger'))
  ledger.sent('dock-1', 1)
  ledger.acknowledged('dock-1', [[1, 1]])
  await ledger.close()
  await appendFile(ledger.path, 'A dock-1 2')
  expect((await readLedger(ledger.path)).get('dock-1')?.acknowledged).toEqual({ upTo: 1, ranges: [] })
})

it('breaks a payload and keeps the packet whole', () => {
  const publish = Buffer.concat([Buffer.from([0x30, 103, 0, 1, 0x61]), Buffer.alloc(100, 7)])
  const random = seededRandom(5)
  for (let i = 0; i < 200; i++) {
    const broken = brokenPayload(publish, random)
    const [packet, ...more] = packetsOf(broken)
    expect(packet).toEqual(broken)
    expect(more).toEqual([])
    expect(isPublish(broken)).toBe(true)
  }
})
