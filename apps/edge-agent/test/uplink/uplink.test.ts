import { nodeTopic } from '@sightline/core'
import { downlinkTopics } from '@sightline/edge-agent/uplink/uplink.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FINGERPRINT } from '../support/bundles.ts'
import { until } from '../support/until.ts'
import { ADDRESS } from './broker.ts'
import { UplinkBench } from './uplink-bench.ts'

let bench: UplinkBench
beforeEach(async () => {
  bench = await UplinkBench.open()
})
afterEach(() => bench.close())

describe('Uplink', () => {
  it('hands on rules that were retained before it came', async () => {
    await bench.broker.publish(downlinkTopics(ADDRESS, FINGERPRINT).rules, Buffer.from('bundle'), true)
    await bench.uplink.start()
    await until(() => bench.rules.length > 0)
    expect(Buffer.from(bench.rules[0]!).toString()).toBe('bundle')
  })

  it('says that it is there, tells changes at most once a second, and sends stats', async () => {
    await bench.uplink.start()
    await bench.online()
    expect(bench.broker.states[0]).toMatchObject({
      online: true,
      session: bench.outbox.session,
      rulesVersion: 0,
    })
    await until(() => bench.broker.stats.length === 1)
    bench.uplink.stateChanged()
    await bench.online(2)
    // The pause begins at the PUBACK, not when the broker has the message.
    await until(() => bench.clock.sleeping.includes(1000))
    for (let i = 0; i < 5; i++) bench.uplink.stateChanged()
    await bench.clock.advance(999)
    expect(bench.broker.states).toHaveLength(2)
    await bench.clock.advance(1)
    await bench.online(3)
    await bench.clock.advance(60_000)
    await until(() => bench.broker.stats.length === 2)
    expect(bench.broker.states).toHaveLength(3)
  })

  it('is reported offline by its will when the connection dies', async () => {
    await bench.uplink.start()
    await bench.online()
    bench.broker.cut()
    await until(() => bench.broker.states.some(state => !state.online))
    await bench.online(2)
  })

  it('drains on stop, says goodbye, and leaves no will', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(3)
    await bench.broker.arrived(1)
    const stopping = bench.uplink.stop()
    bench.broker.acking = true
    await bench.broker.acknowledge()
    await stopping
    expect(bench.records).toBe(0)
    expect(bench.broker.states.map(state => state.online)).toEqual([true, false])
  })

  it('stops in a bounded time when no ack comes, and without a broker', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.append(3)
    await bench.broker.arrived(1)
    const stopping = bench.uplink.stop()
    await bench.clock.advance(3_000)
    await stopping
    expect(bench.records).toBe(3)
    await bench.broker.stop()
    const lonely = bench.make()
    await lonely.start()
    await lonely.stop()
  })

  it('survives broken acks', async () => {
    await bench.uplink.start()
    await bench.online()
    await bench.broker.publish(nodeTopic('ack', ADDRESS), Buffer.from('{"v":1'))
    await bench.broker.publish(
      nodeTopic('ack', ADDRESS),
      Buffer.from('{"v":1,"session":"x","upTo":-1,"ranges":[]}'),
    )
    await bench.append(1)
    await bench.broker.arrived(1)
    await bench.broker.acknowledge()
    await until(() => bench.records === 0)
  })
})
