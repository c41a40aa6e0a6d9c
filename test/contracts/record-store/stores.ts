import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, type IncidentEvent, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { Delivery, NewFrame, RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, describe } from 'vitest'

const log = createLog({ name: 'test', level: 'silent' })

/** Every implementation of the port: how to open it on a directory of its own, twice in a row. */
const IMPLEMENTATIONS: readonly (readonly [name: string, open: (dir: string) => Promise<RecordStore>])[] = [
  ['LMDB', dir => openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })],
]

/** An empty store for each test. */
export interface OpenStore {
  readonly store: RecordStore
  reopen(): Promise<void>
}

/** What every implementation promises in one field. */
export function storeContract(field: string, contract: (held: OpenStore) => void): void {
  describe.each(IMPLEMENTATIONS)(`record store: ${field}: %s`, (_name, open) => {
    let dir = ''
    let store: RecordStore
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'store-'))
      store = await open(dir)
    })
    afterEach(async () => {
      await store.close()
      await rm(dir, { recursive: true })
    })
    contract({
      get store() {
        return store
      },
      reopen: async () => {
        await store.close()
        store = await open(dir)
      },
    })
  })
}

export const SESSION = '01JD0000000000000000000000'
export const INCIDENT = '01JD00000000000000000000AB'

export function frame(seq: number, change: Partial<NewFrame> = {}): NewFrame {
  const vector = new Float32Array(8)
  vector[seq % 8] = 1
  return { seq, camera: 'yard', capturedAt: seq * 1000, vector, verdicts: [], ...change }
}

export function delivery(frames: readonly NewFrame[], change: Partial<Delivery> = {}): Delivery {
  return {
    site: 'plant',
    node: 'dock',
    session: SESSION,
    fingerprint: 'mini:0123456789ab',
    historical: false,
    receivedAt: 5_000_000,
    frames,
    events: [],
    skipped: [],
    ...change,
  }
}

export function event(
  seq: number,
  phase: IncidentEvent['phase'],
  change: Partial<IncidentEvent> = {},
): IncidentEvent {
  return {
    v: 1,
    session: SESSION,
    seq,
    phase,
    incident: INCIDENT,
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high',
    camera: 'yard',
    at: seq * 1000,
    startedAt: 1000,
    score: 0.5,
    peakScore: 0.5,
    frames: 1,
    bestFrame: 1,
    ...change,
  }
}
