import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { openTables } from '@sightline/hub/store/lmdb-tables.js'
import type { Delivery, NewFrame, RecordStore } from '@sightline/hub/store/record-store.js'
import { open } from 'lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADDRESS, eventOf, SESSION } from '../ingest/messages.ts'

const log = createLog({ name: 'test', level: 'silent' })

let dir = ''
let store: RecordStore
const openStore = () => openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lmdb-'))
  store = await openStore()
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

function delivery(seqs: readonly number[], change: Partial<Delivery> = {}): Delivery {
  const frames = seqs.map(
    (seq): NewFrame => ({
      seq,
      camera: 'yard',
      capturedAt: seq,
      vector: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0),
      verdicts: [],
    }),
  )
  const head = { ...ADDRESS, session: SESSION, fingerprint: 'f', historical: false, receivedAt: 1 }
  return { ...head, frames, events: [], skipped: [], ...change }
}

/** Transactions that the environment has committed so far. */
function commits(): number {
  const root = open({ path: dir, maxDbs: 16, overlappingSync: false })
  return (root.getStats() as { lastTxnId: number }).lastTxnId
}

describe('group commit', () => {
  it('stores many deliveries that come at once with a few flushes', async () => {
    const before = commits()
    await Promise.all(Array.from({ length: 300 }, (_, i) => store.append(delivery([i + 1]))))
    expect(store.counts().frames).toBe(300)
    expect(commits() - before).toBeLessThanOrEqual(10)
  })

  it('takes back a delivery that fails, whole and alone', async () => {
    await store.append(delivery([], { events: [eventOf({ seq: 1 })] }))
    const stolen = delivery([1, 2], { node: 'thief', events: [eventOf({ seq: 3 })] })
    const results = await Promise.allSettled([
      store.append(delivery([2])),
      store.append(stolen),
      store.append(delivery([3])),
    ])
    expect(results.map(result => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { code: 'PAYLOAD_INVALID' } })
    expect([...store.scan(0)].map(({ node, seq, ord }) => [node, seq, ord])).toEqual([
      ['dock', 2, 1],
      ['dock', 3, 2],
    ])
    expect(store.stored('plant', 'thief', SESSION)).toEqual({ upTo: 0, ranges: [] })
    expect(store.nodes().map(({ node }) => node)).toEqual(['dock'])
  })
})

describe('the store', () => {
  it('refuses a session with thousands of gaps, and takes what fills them', async () => {
    const odd = (from: number) => Array.from({ length: 256 }, (_, i) => from + 2 * i)
    for (let part = 0; part < 16; part++) await store.append(delivery(odd(3 + part * 512)))
    const full = store.stored('plant', 'dock', SESSION)
    expect(full.ranges).toHaveLength(4096)
    await expect(store.append(delivery([1_000_000]))).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
    expect(store.stored('plant', 'dock', SESSION)).toEqual(full)
    const filled = await store.append(delivery([], { skipped: [[1, 8193]] }))
    expect(filled.stored).toEqual({ upTo: 8193, ranges: [] })
  })

  it('lists an incident once, by its earliest start, whatever came first', async () => {
    const late = eventOf({ seq: 5, phase: 'end', startedAt: 3000, rule: 'smoke' })
    await store.append(delivery([], { events: [late] }))
    await store.append(delivery([], { events: [eventOf({ seq: 2, startedAt: 1000 })] }))
    // The newest event names the rule; the earliest start is kept.
    expect(store.incidents({}, 10)).toMatchObject([{ startedAt: 1000, rule: 'smoke', endedAt: 1000 }])
    expect(store.incidents({ from: 2000 }, 10)).toEqual([])
  })

  it('scans past a page, and what is stored meanwhile too', async () => {
    for (let part = 0; part < 3; part++) {
      await store.append(delivery(Array.from({ length: 200 }, (_, i) => part * 200 + i + 1)))
    }
    const seen: number[] = []
    for (const { seq } of store.scan(0)) {
      if (seen.push(seq) === 10) await store.append(delivery([601]))
    }
    expect(seen).toEqual(Array.from({ length: 601 }, (_, i) => i + 1))
  })

  it('goes on with its numbers after the last frames were taken out', async () => {
    await store.append(delivery([1, 2, 3]))
    const tables = await openTables(dir)
    await tables.frames.remove(3)
    await store.close()
    store = await openStore()
    const { frames } = await store.append(delivery([4]))
    expect(frames[0]?.ord).toBe(4)
  })

  it('does not touch what a newer hub has written', async () => {
    const tables = await openTables(dir)
    await tables.counters.put('format', 99)
    await store.close()
    await expect(openStore()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('says so when its directory cannot be used', async () => {
    const nowhere = openLmdbStore({ dir: '/dev/null/store', clock: systemClock, log })
    await expect(nowhere).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})
