import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settled } from '../support/fake-clock.ts'
import { frameRecord, incidentStep } from '../support/records.ts'
import { until } from '../support/until.ts'
import { UplinkBench } from './uplink-bench.ts'

let bench: UplinkBench
beforeEach(async () => {
  bench = await UplinkBench.open()
})
afterEach(() => bench.close())

describe('delivery', () => {
  it('sends what is recorded and deletes it on the ack of the hub, not on PUBACK', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.outbox.append(frameRecord(), seq => [incidentStep({ bestFrame: seq })])
    await bench.broker.arrived(2)
    expect(bench.broker.arrivals).toEqual(
      expect.arrayContaining([
        { kind: 'frame', seq: 1, historical: false },
        { kind: 'event', seq: 2, historical: false },
      ]),
    )
    // PUBACK has come for both by the time that a third message arrives.
    await bench.append(1)
    await bench.broker.arrived(3)
    expect(bench.records).toBe(3)
    await bench.broker.acknowledge({ upTo: 1, ranges: [[3, 3]] })
    await until(() => bench.records === 1)
    await bench.broker.acknowledge({ upTo: 3, ranges: [] })
    await until(() => bench.records === 0)
  })

  it('does not heed an ack for another session', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(1)
    await bench.broker.arrived(1)
    await bench.broker.acknowledge({ upTo: 1, ranges: [] }, ulid())
    await bench.broker.acknowledge({ upTo: 0, ranges: [] })
    await bench.append(1)
    await bench.broker.arrived(2)
    expect(bench.records).toBe(2)
  })

  it('keeps a small window on its way', async () => {
    await bench.uplink.start()
    await bench.online()
    for (let i = 0; i < 30; i++) await bench.append(1)
    await bench.broker.arrived(4)
    await settled()
    expect(bench.broker.batches).toBe(4)
    bench.broker.acking = true
    await bench.broker.acknowledge()
    await until(() => bench.records === 0)
    // What piled up went in full batches.
    expect(bench.broker.batches).toBeLessThan(4 + 26)
    expect(new Set(bench.broker.seqs).size).toBe(30)
    expect(bench.broker.seqs.length).toBe(30)
  })

  it('sends again after a time-out, ever more seldom, and picks up at the first ack', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(1)
    await bench.broker.arrived(1)
    await bench.clock.advance(9_999)
    expect(bench.broker.seqs).toEqual([1])
    await bench.clock.advance(1)
    await bench.broker.arrived(2)
    expect(bench.broker.seqs).toEqual([1, 1])
    await bench.clock.advance(10_000)
    expect(bench.broker.seqs).toEqual([1, 1])
    await bench.clock.advance(10_000)
    await bench.broker.arrived(3)
    // Recorded while the hub was silent: history by the time that it answers.
    await bench.append(6)
    bench.broker.acking = true
    await bench.broker.acknowledge()
    await until(() => bench.broker.seqs.includes(5))
    await bench.clock.advance(2_000)
    await until(() => bench.records === 0)
    expect(bench.broker.arrivals.filter(({ seq }) => seq > 1).every(({ historical }) => historical)).toBe(
      true,
    )
  })

  it('sends again after the connection broke', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(2)
    await bench.broker.arrived(1)
    bench.broker.cut()
    await until(() => bench.broker.arrivals.filter(({ seq }) => seq === 1).length === 2)
    bench.broker.acking = true
    await bench.broker.acknowledge()
    await until(() => bench.records === 0)
  })

  for (const [name, days] of [
    ['back', -1],
    ['forward', 1],
  ] as const)
    it(`is not disturbed when the clock is set ${name} by a day`, async () => {
      bench.broker.acking = true
      await bench.uplink.start()
      await bench.online()
      const stamps: number[] = []
      const record = async () => {
        stamps.push(bench.clock.now())
        await bench.outbox.append(frameRecord({ capturedAt: bench.clock.now() }))
      }
      await record()
      await until(() => bench.records === 0)
      bench.clock.set(bench.clock.now() + days * 86_400_000)
      await record()
      await record()
      await bench.broker.arrived(3)
      await until(() => bench.records === 0)
      expect(bench.broker.seqs).toEqual([1, 2, 3])
      expect(bench.broker.capturedAt).toEqual(stamps)
      expect(bench.broker.arrivals.some(({ historical }) => historical)).toBe(false)
      // What waits, waits as long as ever.
      bench.broker.acking = false
      await record()
      await bench.broker.arrived(4)
      await bench.clock.advance(9_900)
      expect(bench.broker.seqs).toHaveLength(4)
      await bench.clock.advance(200)
      await bench.broker.arrived(5)
    })

  it('forgets what an ack names of a message, and sends only the rest again', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(4)
    await bench.broker.arrived(1)
    await bench.append(4)
    await bench.broker.arrived(2)
    const [first, second] = [bench.broker.seqs[0]!, bench.broker.seqs[1]!]
    await bench.broker.acknowledge({ upTo: 0, ranges: [[second, second]] })
    await until(() => bench.records === 7)
    await bench.broker.acknowledge({ upTo: first, ranges: [] })
    await until(() => bench.records === 6)
    await bench.clock.advance(10_000)
    await until(() => bench.broker.seqs.length > 8)
    expect(bench.broker.seqs.filter(seq => seq === first || seq === second)).toHaveLength(2)
  })

  it('tells the hub which numbers will never come', async () => {
    await bench.resize(20_000)
    for (let i = 0; i < 7; i++) await bench.outbox.append(frameRecord({ vector: new Float32Array(750) }))
    expect(bench.outbox.skipped(9)).toEqual([[1, 3]])
    await bench.uplink.start()
    await bench.broker.arrived(4)
    expect(bench.broker.skipped).toEqual([[1, 3]])
    expect(bench.broker.stored).toEqual({ upTo: 7, ranges: [] })
    await bench.broker.acknowledge()
    await until(() => bench.records === 0 && bench.outbox.skipped(9).length === 0)
  })
})
