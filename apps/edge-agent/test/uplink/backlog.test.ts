import { agentSettings } from '@sightline/edge-agent/settings.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { frameRecord, incidentStep } from '../support/records.ts'
import { until } from '../support/until.ts'
import { SETTINGS, UplinkBench } from './uplink-bench.ts'

let bench: UplinkBench
beforeEach(async () => {
  bench = await UplinkBench.open()
})
afterEach(() => bench.close())

describe('the backlog of an outage', () => {
  it('starts without a broker, records, and delivers when there is one: nothing lost, nothing twice', async () => {
    await bench.broker.stop()
    await bench.uplink.start()
    await bench.append(10)
    expect(bench.records).toBe(10)
    bench.broker.acking = true
    await bench.broker.start()
    await bench.online()
    for (const count of [4, 8, 10]) {
      await bench.broker.arrived(count)
      await until(() => bench.records === 10 - count)
      await bench.clock.advance(500)
    }
    expect([...bench.broker.seqs].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(bench.broker.arrivals.every(({ historical }) => historical)).toBe(true)
  })

  it('sends live first after an outage, then the backlog at its pace, incidents before frames', async () => {
    await bench.broker.stop()
    await bench.uplink.start()
    await bench.append(20)
    await bench.outbox.appendEvents([incidentStep()])
    bench.broker.acking = true
    await bench.broker.start()
    await bench.online()
    await bench.broker.arrived(5)
    await until(() => bench.records === 16)
    // The incident, then one batch of four; the next one half a second later at eight records a second.
    expect(bench.broker.seqs).toEqual([21, 1, 2, 3, 4])
    await bench.append(1)
    await until(() => bench.records === 16)
    expect(bench.broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 22, historical: false })
    await bench.clock.advance(499)
    expect(bench.broker.seqs).toHaveLength(6)
    await bench.clock.advance(1)
    await bench.broker.arrived(10)
    expect(bench.broker.arrivals.slice(6)).toEqual(
      [5, 6, 7, 8].map(seq => ({ kind: 'frame', seq, historical: true })),
    )
  })

  it('leaves a place of the window to what is live while the backlog is on its way', async () => {
    await bench.broker.stop()
    bench.uplink = bench.make({ ...SETTINGS, replayPerSecond: 100_000 })
    await bench.uplink.start()
    await bench.append(40)
    await bench.broker.start()
    await bench.online()
    await bench.broker.arrived(4)
    for (let i = 0; i < 5; i++) await bench.clock.advance(1)
    await bench.broker.arrived(12)
    expect(bench.broker.batches).toBe(3)
    await bench.append(1)
    await bench.broker.arrived(13)
    expect(bench.broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 41, historical: false })
  })

  /** The line is taken for what the live ones make of it; then there is a backlog of twelve, whose first batch has arrived. */
  async function backlogAfter({ live, acknowledgedAfterMs }: { live: number; acknowledgedAfterMs: number }) {
    bench.uplink = bench.make({ ...SETTINGS, replayPerSecond: 100_000, replayShare: 0.25 })
    await bench.uplink.start()
    await bench.online()
    await bench.append(live)
    await bench.broker.arrived(live)
    await bench.clock.advance(acknowledgedAfterMs)
    await bench.broker.acknowledge()
    await until(() => bench.records === 0)
    await bench.broker.stop()
    await bench.append(12)
    await bench.broker.start()
    await bench.online(2)
    await bench.broker.arrived(live + SETTINGS.batchItems)
  }

  it('takes for the backlog its share of the measured bandwidth', async () => {
    await backlogAfter({ live: 4, acknowledgedAfterMs: 1000 })
    expect(bench.broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 8, historical: true })
    await bench.clock.advance(1000)
    await bench.broker.acknowledge()
    await until(() => bench.records === 8)
    // A quarter of that line: the next batch starts three to four seconds after the one before, as the live ones were packed.
    await bench.clock.advance(1600)
    expect(bench.broker.arrivals).toHaveLength(8)
    await bench.clock.advance(1500)
    await bench.broker.arrived(12)
  })

  it('waits no longer for the next of the backlog when the line turns out better than it was taken for', async () => {
    // One small message for which a hub that was busy took ten seconds: a batch of four would take forty, and wait for 160.
    await backlogAfter({ live: 1, acknowledgedAfterMs: 10_000 })
    await bench.broker.acknowledge()
    await until(() => bench.records === 8)
    await bench.clock.advance(12_000)
    await bench.broker.arrived(9)
  })

  it('drains an hour without hub at more than twenty times the live rate', async () => {
    const LIVE_PER_SECOND = 1
    const defaults = agentSettings({ site: 'site', node: 'node' }).uplink
    bench.uplink = bench.make({ ...defaults, drainSeconds: 3 })
    await bench.broker.stop()
    await bench.uplink.start()
    const hour = 3600 * LIVE_PER_SECOND
    for (let i = 0; i < hour; i += 1200) await bench.append(1200)
    expect(bench.outbox.counts).toMatchObject({ records: hour, dropped: 0 })
    bench.broker.acking = true
    await bench.broker.start()
    await bench.online()
    let steps = 0
    while (bench.records > 0) {
      const before = bench.broker.arrivals.length
      await bench.clock.advance(125)
      if (++steps % 8 === 0) await bench.append(LIVE_PER_SECOND)
      await until(() => bench.broker.arrivals.length > before || bench.records === 0)
      await until(() => bench.records === bench.outbox.next - 1 - bench.broker.arrivals.length)
    }
    expect(hour / (steps / 8)).toBeGreaterThanOrEqual(20 * LIVE_PER_SECOND)
    expect(bench.broker.stored).toEqual({ upTo: bench.outbox.next - 1, ranges: [] })
    // Delivered once each: an outage costs no repetition.
    expect(bench.broker.arrivals).toHaveLength(bench.outbox.next - 1)
  })

  it('lets the events of the backlog go before its frames, but not so far that the hub loses count', async () => {
    await bench.broker.stop()
    bench.uplink = bench.make({ ...SETTINGS, replayPerSecond: 100_000, ackTimeoutSeconds: 3600 })
    await bench.uplink.start()
    const COUNT = 260
    for (let i = 0; i < COUNT; i++) await bench.outbox.append(frameRecord(), () => [incidentStep()])
    bench.broker.acking = true
    await bench.broker.start()
    await bench.online()
    while (bench.records > 0) {
      await bench.clock.advance(100)
      await until(() => bench.records === 2 * COUNT - bench.broker.arrivals.length)
    }
    const kinds = bench.broker.arrivals.map(({ kind }) => kind)
    expect(kinds.slice(0, 100)).toEqual(Array(100).fill('event'))
    expect(bench.broker.mostGaps).toBeGreaterThanOrEqual(200)
    expect(bench.broker.mostGaps).toBeLessThanOrEqual(256)
    expect(bench.broker.seqs).toHaveLength(2 * COUNT)
  })

  it('tells in time what was dropped between the events that it kept', async () => {
    await bench.broker.stop()
    await bench.resize(250_000)
    bench.uplink = bench.make({ ...SETTINGS, ackTimeoutSeconds: 3600 })
    await bench.uplink.start()
    const COUNT = 320
    for (let i = 0; i < COUNT; i++)
      await bench.outbox.append(frameRecord({ vector: new Float32Array(750) }), () => [incidentStep()])
    const kept = bench.records
    expect(kept).toBeGreaterThan(COUNT)
    bench.broker.acking = true
    await bench.broker.start()
    await bench.online()
    while (bench.records > 0) {
      await bench.clock.advance(100)
      await until(() => bench.records === kept - bench.broker.arrivals.length)
    }
    expect(bench.broker.mostGaps).toBeGreaterThanOrEqual(200)
    expect(bench.broker.mostGaps).toBeLessThanOrEqual(256)
    expect(bench.broker.stored).toEqual({ upTo: 2 * COUNT, ranges: [] })
  })
})
