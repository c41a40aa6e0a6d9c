import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeTopic, systemClock } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import { downlinkTopics, Uplink } from '@sightline/edge-agent/uplink/uplink.js'
import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FINGERPRINT } from '../support/bundles.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { frameRecord, incidentStep } from '../support/records.ts'
import { until } from '../support/until.ts'
import { ADDRESS, TestBroker } from './broker.ts'

const SPACE = { fingerprint: FINGERPRINT, dim: 8 }
const SETTINGS = {
  window: 4,
  batchItems: 4,
  batchBytes: 1_000_000,
  ackTimeoutSeconds: 10,
  replayPerSecond: 8,
  replayShare: 0.5,
  statsSeconds: 60,
  drainSeconds: 3,
}

let dir = ''
let broker: TestBroker
let outbox: Outbox
let uplink: Uplink
/** Time-outs and paces run on this one; sockets and back-off are real. */
let clock: FakeClock
let rules: Uint8Array[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'uplink-'))
  broker = await new TestBroker().start()
  clock = new FakeClock()
  rules = []
  outbox = await Outbox.open({
    dir,
    limits: { maxBytes: 1e8, minFreeDiskBytes: 0 },
    clock,
    log: quiet,
    newId: ulid,
  })
  uplink = makeUplink()
})
afterEach(async () => {
  broker.acking = true
  const stopping = uplink.stop()
  await clock.advance(10_000)
  await stopping
  await outbox.close()
  await broker.stop()
  await rm(dir, { recursive: true, force: true })
})

function makeUplink(settings = SETTINGS): Uplink {
  const topics = downlinkTopics(ADDRESS, FINGERPRINT)
  const link = new Link({
    settings: {
      url: broker.url,
      clientId: 'site.node',
      keepaliveSeconds: 30,
      connectTimeoutSeconds: 5,
      subscriptions: [topics.rules, topics.ack],
    },
    backoff: { delayMs: () => 10 },
    clock: systemClock,
    log: quiet,
  })
  return new Uplink({
    address: ADDRESS,
    settings,
    space: SPACE,
    outbox,
    link,
    report: {
      state: () => ({
        agent: '1',
        fingerprint: FINGERPRINT,
        provider: 'cpu',
        rulesGroup: 'all',
        rulesVersion: rules.length,
        configVersion: 0,
        cameras: [],
      }),
      stats: () => ({
        uptimeSeconds: 1,
        framesSeen: 0,
        framesGated: 0,
        framesEmbedded: 0,
        framesFailed: 0,
        outboxRecords: 0,
        outboxBytes: 0,
        outboxDropped: 0,
        encodeP50Ms: 0,
        decisionP95Ms: 0,
        rssBytes: 1,
        cameras: [],
      }),
    },
    onRules: async payload => {
      rules.push(payload)
    },
    clock,
    log: quiet,
  })
}

async function append(count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => outbox.append(frameRecord())))
}

const online = (count = 1) => until(() => broker.states.filter(state => state.online).length >= count)
const records = () => outbox.counts.records

describe('Uplink', () => {
  it('sends what is recorded and deletes it on the ack of the hub, not on PUBACK', async () => {
    await uplink.start()
    await online()
    await outbox.append(frameRecord(), seq => [incidentStep({ bestFrame: seq })])
    await broker.arrived(2)
    expect(broker.arrivals).toEqual(
      expect.arrayContaining([
        { kind: 'frame', seq: 1, historical: false },
        { kind: 'event', seq: 2, historical: false },
      ]),
    )
    // PUBACK has come for both by the time that a third message arrives.
    await append(1)
    await broker.arrived(3)
    expect(records()).toBe(3)
    await broker.acknowledge({ upTo: 1, ranges: [[3, 3]] })
    await until(() => records() === 1)
    await broker.acknowledge({ upTo: 3, ranges: [] })
    await until(() => records() === 0)
  })

  it('does not heed an ack for another session', async () => {
    await uplink.start()
    await online()
    await append(1)
    await broker.arrived(1)
    await broker.acknowledge({ upTo: 1, ranges: [] }, ulid())
    await broker.acknowledge({ upTo: 0, ranges: [] })
    await append(1)
    await broker.arrived(2)
    expect(records()).toBe(2)
  })

  it('keeps a small window on its way', async () => {
    await uplink.start()
    await online()
    for (let i = 0; i < 30; i++) await append(1)
    await broker.arrived(4)
    await settled()
    expect(broker.batches).toBe(4)
    broker.acking = true
    await broker.acknowledge()
    await until(() => records() === 0)
    // What piled up went in full batches.
    expect(broker.batches).toBeLessThan(4 + 26)
    expect(new Set(broker.seqs).size).toBe(30)
    expect(broker.seqs.length).toBe(30)
  })

  it('sends again after a time-out, ever more seldom, and picks up at the first ack', async () => {
    await uplink.start()
    await online()
    await append(1)
    await broker.arrived(1)
    await clock.advance(9_999)
    expect(broker.seqs).toEqual([1])
    await clock.advance(1)
    await broker.arrived(2)
    expect(broker.seqs).toEqual([1, 1])
    await clock.advance(10_000)
    expect(broker.seqs).toEqual([1, 1])
    await clock.advance(10_000)
    await broker.arrived(3)
    // Recorded while the hub was silent: history by the time that it answers.
    await append(6)
    broker.acking = true
    await broker.acknowledge()
    await until(() => broker.seqs.includes(5))
    await clock.advance(2_000)
    await until(() => records() === 0)
    expect(broker.arrivals.filter(({ seq }) => seq > 1).every(({ historical }) => historical)).toBe(true)
  })

  it('sends again after the connection broke', async () => {
    await uplink.start()
    await online()
    await append(2)
    await broker.arrived(1)
    broker.cut()
    await until(() => broker.arrivals.filter(({ seq }) => seq === 1).length === 2)
    broker.acking = true
    await broker.acknowledge()
    await until(() => records() === 0)
  })

  it('starts without a broker, records, and delivers when there is one: nothing lost, nothing twice', async () => {
    await broker.stop()
    await uplink.start()
    await append(10)
    expect(records()).toBe(10)
    broker.acking = true
    await broker.start()
    await online()
    for (const count of [4, 8, 10]) {
      await broker.arrived(count)
      await until(() => records() === 10 - count)
      await clock.advance(500)
    }
    expect([...broker.seqs].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(broker.arrivals.every(({ historical }) => historical)).toBe(true)
  })

  it('sends live first after an outage, then the backlog at its pace, incidents before frames', async () => {
    await broker.stop()
    await uplink.start()
    await append(20)
    await outbox.appendEvents([incidentStep()])
    broker.acking = true
    await broker.start()
    await online()
    await broker.arrived(5)
    await until(() => records() === 16)
    // The incident, then one batch of four; the next one half a second later at eight records a second.
    expect(broker.seqs).toEqual([21, 1, 2, 3, 4])
    await append(1)
    await until(() => records() === 16)
    expect(broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 22, historical: false })
    await clock.advance(499)
    expect(broker.seqs).toHaveLength(6)
    await clock.advance(1)
    await broker.arrived(10)
    expect(broker.arrivals.slice(6)).toEqual(
      [5, 6, 7, 8].map(seq => ({ kind: 'frame', seq, historical: true })),
    )
  })

  it('leaves a place of the window to what is live while the backlog is on its way', async () => {
    await broker.stop()
    uplink = makeUplink({ ...SETTINGS, replayPerSecond: 100_000 })
    await uplink.start()
    await append(40)
    await broker.start()
    await online()
    await broker.arrived(4)
    for (let i = 0; i < 5; i++) await clock.advance(1)
    await broker.arrived(12)
    expect(broker.batches).toBe(3)
    await append(1)
    await broker.arrived(13)
    expect(broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 41, historical: false })
  })

  it('takes for the backlog its share of the measured bandwidth', async () => {
    uplink = makeUplink({ ...SETTINGS, replayPerSecond: 100_000, replayShare: 0.25 })
    await uplink.start()
    await online()
    // A line that takes a second for a batch of four.
    await append(4)
    await broker.arrived(4)
    await clock.advance(1000)
    await broker.acknowledge()
    await until(() => records() === 0)
    await broker.stop()
    await append(12)
    await broker.start()
    await online(2)
    await broker.arrived(8)
    expect(broker.arrivals.at(-1)).toEqual({ kind: 'frame', seq: 8, historical: true })
    await broker.acknowledge()
    await until(() => records() === 8)
    // A quarter of that line: the next batch starts some four seconds after the one before.
    await clock.advance(2800)
    expect(broker.arrivals).toHaveLength(8)
    await clock.advance(1400)
    await broker.arrived(12)
  })

  it('drains an hour without hub at more than twenty times the live rate', async () => {
    const LIVE_PER_SECOND = 1
    const defaults = agentSettings({ site: 'site', node: 'node' }).uplink
    uplink = makeUplink({ ...defaults, drainSeconds: 3 })
    await broker.stop()
    await uplink.start()
    const hour = 3600 * LIVE_PER_SECOND
    for (let i = 0; i < hour; i += 1200) await append(1200)
    expect(outbox.counts).toMatchObject({ records: hour, dropped: 0 })
    broker.acking = true
    await broker.start()
    await online()
    let steps = 0
    while (records() > 0) {
      const before = broker.arrivals.length
      await clock.advance(125)
      if (++steps % 8 === 0) await append(LIVE_PER_SECOND)
      await until(() => broker.arrivals.length > before || records() === 0)
      await until(() => records() === outbox.next - 1 - broker.arrivals.length)
    }
    expect(hour / (steps / 8)).toBeGreaterThanOrEqual(20 * LIVE_PER_SECOND)
    expect(broker.stored).toEqual({ upTo: outbox.next - 1, ranges: [] })
    // Delivered once each: an outage costs no repetition.
    expect(broker.arrivals).toHaveLength(outbox.next - 1)
  }, 60_000)

  for (const [name, days] of [
    ['back', -1],
    ['forward', 1],
  ] as const)
    it(`is not disturbed when the clock is set ${name} by a day`, async () => {
      broker.acking = true
      await uplink.start()
      await online()
      const stamps: number[] = []
      const record = async () => {
        stamps.push(clock.now())
        await outbox.append(frameRecord({ capturedAt: clock.now() }))
      }
      await record()
      await until(() => records() === 0)
      clock.set(clock.now() + days * 86_400_000)
      await record()
      await record()
      await broker.arrived(3)
      await until(() => records() === 0)
      expect(broker.seqs).toEqual([1, 2, 3])
      expect(broker.capturedAt).toEqual(stamps)
      expect(broker.arrivals.some(({ historical }) => historical)).toBe(false)
      // What waits, waits as long as ever.
      broker.acking = false
      await record()
      await broker.arrived(4)
      await clock.advance(9_900)
      expect(broker.seqs).toHaveLength(4)
      await clock.advance(200)
      await broker.arrived(5)
    })

  it('tells the hub which numbers will never come', async () => {
    await outbox.close()
    await rm(dir, { recursive: true })
    outbox = await Outbox.open({
      dir,
      limits: { maxBytes: 20_000, minFreeDiskBytes: 0 },
      clock,
      log: quiet,
      newId: ulid,
    })
    uplink = makeUplink()
    for (let i = 0; i < 7; i++) await outbox.append(frameRecord({ vector: new Float32Array(750) }))
    expect(outbox.skipped(9)).toEqual([[1, 3]])
    await uplink.start()
    await broker.arrived(4)
    expect(broker.skipped).toEqual([[1, 3]])
    expect(broker.stored).toEqual({ upTo: 7, ranges: [] })
    await broker.acknowledge()
    await until(() => records() === 0 && outbox.skipped(9).length === 0)
  })

  it('hands on rules that were retained before it came', async () => {
    await broker.publish(downlinkTopics(ADDRESS, FINGERPRINT).rules, Buffer.from('bundle'), true)
    await uplink.start()
    await until(() => rules.length > 0)
    expect(Buffer.from(rules[0]!).toString()).toBe('bundle')
  })

  it('says that it is there, tells changes at most once a second, and sends stats', async () => {
    await uplink.start()
    await online()
    expect(broker.states[0]).toMatchObject({ online: true, session: outbox.session, rulesVersion: 0 })
    await until(() => broker.stats.length === 1)
    uplink.stateChanged()
    await online(2)
    // The pause begins at the PUBACK, not when the broker has the message.
    await until(() => clock.sleeping.includes(1000))
    for (let i = 0; i < 5; i++) uplink.stateChanged()
    await clock.advance(999)
    expect(broker.states).toHaveLength(2)
    await clock.advance(1)
    await online(3)
    await clock.advance(60_000)
    await until(() => broker.stats.length === 2)
    expect(broker.states).toHaveLength(3)
  })

  it('is reported offline by its will when the connection dies', async () => {
    await uplink.start()
    await online()
    broker.cut()
    await until(() => broker.states.some(state => !state.online))
    await online(2)
  })

  it('drains on stop, says goodbye, and leaves no will', async () => {
    await uplink.start()
    await online()
    await append(3)
    await broker.arrived(1)
    const stopping = uplink.stop()
    broker.acking = true
    await broker.acknowledge()
    await stopping
    expect(records()).toBe(0)
    expect(broker.states.map(state => state.online)).toEqual([true, false])
  })

  it('stops in a bounded time when no ack comes, and without a broker', async () => {
    await uplink.start()
    await online()
    await append(3)
    await broker.arrived(1)
    const stopping = uplink.stop()
    await clock.advance(3_000)
    await stopping
    expect(records()).toBe(3)
    await broker.stop()
    const lonely = makeUplink()
    await lonely.start()
    await lonely.stop()
  })

  it('survives broken acks', async () => {
    await uplink.start()
    await online()
    await broker.publish(nodeTopic('ack', ADDRESS), Buffer.from('{"v":1'))
    await broker.publish(
      nodeTopic('ack', ADDRESS),
      Buffer.from('{"v":1,"session":"x","upTo":-1,"ranges":[]}'),
    )
    await append(1)
    await broker.arrived(1)
    await broker.acknowledge()
    await until(() => records() === 0)
  })
})
