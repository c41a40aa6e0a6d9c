import { FleetHealth } from '@sightline/hub/fleet/fleet-health.js'
import type { NodeRecord } from '@sightline/hub/store/record-store.js'
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const MINUTE_MS = 60_000

let clock: FakeClock
let tell: (record: NodeRecord) => void
let newest: NodeRecord

function hub(known: readonly NodeRecord[] = []): FleetHealth {
  return new FleetHealth({
    ingest: {
      on: (_name: string, listener: (record: NodeRecord) => void) => {
        tell = listener
        return () => {}
      },
    } as never,
    shadow: { drift: () => ({ state: 'none', since: null, detail: null }), issued: () => undefined } as never,
    rules: { versionFor: () => null },
    known,
    clock,
  })
}

/** A report of a device whose outbox has dropped so many since it was made. */
function report(outboxDropped: number): void {
  const at = clock.now()
  const stats = { at, outboxRecords: 0, outboxBytes: 0, outboxDropped, cameras: [] }
  const state = { at, online: true, cameras: [], rulesVersion: 1 }
  newest = { site: 's', node: 'n', lastSeenAt: at, lastDataAt: at, stats, state } as unknown as NodeRecord
  tell(newest)
}

const said = (health: FleetHealth) =>
  health.of(newest).reasons.flatMap(({ code, message }) => (code === 'outbox-dropped' ? [message] : []))

describe('records that a device dropped', () => {
  beforeEach(() => {
    clock = new FakeClock()
  })

  it('are a reason while they are news, and clear by themselves', async () => {
    const health = hub()
    report(400)
    expect(said(health)).toEqual([])
    await clock.advance(MINUTE_MS)
    report(407)
    expect(said(health)).toEqual(['records dropped for want of space: 7, the last 0 min ago'])
    await clock.advance(30 * MINUTE_MS)
    report(410)
    await clock.advance(20 * MINUTE_MS)
    report(410)
    // Of one shortage, with the time of the last.
    expect(said(health)).toEqual(['records dropped for want of space: 10, the last 20 min ago'])
    await clock.advance(40 * MINUTE_MS)
    expect(said(health)).toHaveLength(1)
    await clock.advance(MINUTE_MS)
    expect(said(health)).toEqual([])
    // The next shortage begins anew.
    report(411)
    expect(said(health)).toEqual(['records dropped for want of space: 1, the last 0 min ago'])
  })

  it('are counted from the report before, across a restart of the hub', async () => {
    hub()
    report(3)
    const before = newest
    await clock.advance(5 * MINUTE_MS)
    const restarted = hub([before])
    expect(said(restarted)).toEqual([])
    report(3)
    expect(said(restarted)).toEqual([])
    report(8)
    expect(said(restarted)).toEqual(['records dropped for want of space: 5, the last 0 min ago'])
  })

  it('are those of the new outbox when the count went back', () => {
    const health = hub()
    report(50)
    report(0)
    expect(said(health)).toEqual([])
    report(50)
    report(2)
    expect(said(health)).toEqual(['records dropped for want of space: 52, the last 0 min ago'])
  })
})
