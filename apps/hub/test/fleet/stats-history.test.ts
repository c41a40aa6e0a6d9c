import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, encodeJson, type NodeStats, nodeTopic } from '@sightline/core'
import { StatsHistory } from '@sightline/hub/fleet/stats-history.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { type LmdbRecordStore, openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const log = createLog({ name: 'test', level: 'silent' })
const DOCK = { site: 'plant', node: 'dock' }
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

let dir = ''
let clock: FakeClock
let store: LmdbRecordStore
let ingest: Ingest
let history: StatsHistory

async function open(): Promise<void> {
  store = await openLmdbStore({ dir, clock, log, minFreeBytes: 0 })
  ingest = new Ingest({ store, publish: async () => {}, clock, log })
  history = new StatsHistory({ environment: store.environment, ingest, log })
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stats-'))
  clock = new FakeClock()
  await open()
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

function report(change: Partial<NodeStats> = {}, device = DOCK): Promise<void> {
  const stats: NodeStats = {
    v: 1,
    // A device whose clock is wrong: the hub keeps its own time.
    at: clock.now() - HOUR_MS,
    uptimeSeconds: 60,
    framesSeen: 0,
    framesGated: 0,
    framesEmbedded: 0,
    framesFailed: 0,
    outboxRecords: 0,
    outboxBytes: 0,
    outboxDropped: 0,
    encodeP50Ms: 8,
    decisionP95Ms: 20,
    rssBytes: 1e8,
    cameras: [],
    ...change,
  }
  return ingest.accept(nodeTopic('stats', device), encodeJson(stats))
}

const points = (hours: number, device = DOCK) =>
  history.points(device, { from: clock.now() - hours * HOUR_MS, now: clock.now() })
/** All that was handed in before this is stored: commits come in turn. */
const settled = () => store.environment.committer.run(() => {})

it('makes rates and losses of what devices count, and survives a restart of the hub', async () => {
  await report({ framesSeen: 100, framesEmbedded: 10, outboxDropped: 7, outboxDroppedThumbnails: 2 })
  await clock.advance(MINUTE_MS)
  await report({
    uptimeSeconds: 120,
    framesSeen: 160,
    framesEmbedded: 13,
    outboxDropped: 9,
    outboxRecords: 40,
  })
  await settled()
  await store.close()
  await open()
  await clock.advance(MINUTE_MS)
  // The agent began anew: its counters did, its outbox did not.
  await report({ uptimeSeconds: 30, framesSeen: 30, outboxDropped: 9, outboxDroppedThumbnails: 3 })
  await settled()
  expect(points(1)).toMatchObject([
    { gap: true, lostRecords: 0, lostThumbnails: 0, queueRecords: 0 },
    { gap: false, seenPerSecond: 1, embeddedPerSecond: 0.05, lostRecords: 2, queueRecords: 40 },
    { gap: false, seenPerSecond: 1, embeddedPerSecond: 0, lostRecords: 0, lostThumbnails: 3 },
  ])
  expect(points(1).at(-1)?.at).toBe(clock.now())
})

it('shows where nothing was heard', async () => {
  await report({ framesSeen: 60 })
  await clock.advance(10 * MINUTE_MS)
  await report({ uptimeSeconds: 660, framesSeen: 660 })
  await settled()
  expect(points(1)).toMatchObject([{ gap: true }, { gap: true, seenPerSecond: 1 }])
})

it('keeps a day of each device, and shows a long time in few points', async () => {
  for (let minute = 0; minute < 25 * 60; minute += 2) {
    await report({ uptimeSeconds: minute * 60, framesSeen: minute * 60, outboxRecords: minute % 7 })
    await clock.advance(2 * MINUTE_MS)
  }
  await report({}, { site: 'plant', node: 'gate' })
  await settled()
  const rows = store.environment.root.openDB<unknown, [string, number]>('node-stats', {})
  const of = (key: string) => [...rows.getKeys({ start: [key, 0], end: [key, Number.MAX_SAFE_INTEGER] })]
  expect(of('plant~dock').length).toBeLessThanOrEqual(12 * 60 + 1)
  const day = points(24)
  expect(day.length).toBeGreaterThan(300)
  expect(day.length).toBeLessThanOrEqual(362)
  // The worst of every step is shown, whatever the step.
  expect(Math.max(...day.map(({ queueRecords }) => queueRecords))).toBe(6)
  expect(day.at(-1)).toMatchObject({ gap: false, seenPerSecond: 1 })
  expect(points(1).length).toBeGreaterThanOrEqual(29)

  await history.forget(DOCK)
  expect(of('plant~dock')).toEqual([])
  expect(of('plant~gate')).toHaveLength(1)
})

it('does not fill up with reports that come too often', async () => {
  for (let i = 0; i < 50; i++) {
    await report({ uptimeSeconds: i, framesSeen: i, at: clock.now() })
    await clock.advance(1000)
  }
  await settled()
  expect(points(1).length).toBeLessThanOrEqual(2)
})
