import { connect } from 'node:net'
import { createLog, nodeTopic } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, describe, expect, it } from 'vitest'
import { ADDRESS, batchOf, stateOf } from '../ingest/messages.ts'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'
import { nextEvent } from '../support/next-event.ts'

const log = createLog({ name: 'test', level: 'silent' })
const SETTINGS = { host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, maxConnections: 2, ...MQTT_LIMITS }

let broker: Broker
const clients: MqttClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true)
  await broker.stop()
})

async function startBroker(accept: (topic: string, payload: Uint8Array) => Promise<void>): Promise<void> {
  broker = new Broker({ settings: SETTINGS, ingest: { accept }, log })
  await broker.start()
}

async function client(clientId: string, options: object = {}): Promise<MqttClient> {
  const url = `mqtt://127.0.0.1:${broker.port}`
  const connected = await connectAsync(url, { clientId, reconnectPeriod: 0, ...options })
  connected.on('error', () => {})
  clients.push(connected)
  return connected
}

describe('the broker', () => {
  it('waits when it stops until what is being stored is stored', async () => {
    let finish = () => {}
    let stored = false
    let begun = () => {}
    const storing = new Promise<void>(resolve => {
      begun = resolve
    })
    await startBroker(async () => {
      begun()
      await new Promise<void>(resolve => {
        finish = resolve
      })
      stored = true
    })
    const device = await client('dock')
    device.publish(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1 })
    await storing
    const stopped = broker.stop().then(() => stored)
    await nextEvent(device, 'close')
    finish()
    expect(await stopped).toBe(true)
  })

  it('takes the will of a device that vanished', async () => {
    let tell: (message: { topic: string; online: boolean }) => void = () => {}
    const will = new Promise(resolve => {
      tell = resolve
    })
    await startBroker(async (topic, payload) => {
      tell({ topic, online: JSON.parse(Buffer.from(payload).toString()).online })
    })
    const topic = nodeTopic('state', ADDRESS)
    const payload = stateOf({ online: false })
    const device = await client('dock', { will: { topic, payload, qos: 1, retain: true } })
    device.stream.destroy()
    expect(await will).toEqual({ topic, online: false })
  })

  it('retains the state of a device and nothing else of it', async () => {
    await startBroker(async () => {})
    const device = await client('dock')
    const state = nodeTopic('state', ADDRESS)
    await device.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1, retain: true })
    await device.publishAsync(state, stateOf(), { qos: 1, retain: true })
    const late = await client('late')
    const topics: string[] = []
    const heard = new Promise<void>(resolve => {
      late.on('message', topic => {
        topics.push(topic)
        if (topic === state) resolve()
      })
    })
    // Retained messages come in the order of the filters.
    await late.subscribeAsync([nodeTopic('emb', ADDRESS), state], { qos: 1 })
    await heard
    expect(topics).toEqual([state])
  })

  it('turns away connections above the limit and keeps those it has', async () => {
    await startBroker(async () => {})
    const [first] = [await client('a'), await client('b')]
    const third = connect(broker.port, '127.0.0.1')
    third.on('error', () => {})
    await new Promise<void>(resolve => third.on('close', () => resolve()))
    expect(broker.stats.refused).toBe(1)
    await first!.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1 })
    expect(broker.clients).toBe(2)
  })

  it('says when it cannot listen at all', async () => {
    broker = new Broker({
      settings: { ...SETTINGS, host: '203.0.113.1' },
      ingest: { accept: async () => {} },
      log,
    })
    await expect(broker.start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
