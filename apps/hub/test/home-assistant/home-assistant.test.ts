import type { NodeState } from '@sightline/core'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SESSION, TestHub } from '../moderation/hub.ts'

const INCIDENT = '01JD00000000000000000000AB'

let hub: TestHub
let home: MqttClient
/** What lies on each topic; retained messages that are empty take it away. */
let held: Map<string, string>

const state = (cameras: readonly string[], online = true): NodeState => ({
  v: 1,
  online,
  at: Date.now(),
  session: SESSION,
  agent: '1.0.0',
  fingerprint: 'test:000000000000',
  provider: 'cpu',
  rulesGroup: 'all',
  rulesVersion: 0,
  configVersion: 0,
  cameras: cameras.map(camera => ({ camera, status: 'running', lastFrameAt: null })),
})

/** As Home Assistant connects: it listens to discovery and announces itself. */
async function connect(): Promise<void> {
  held = new Map()
  home = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 })
  home.on('message', (topic, payload) => {
    if (payload.length === 0) held.delete(topic)
    else held.set(topic, payload.toString())
  })
  const granted = await home.subscribeAsync(['homeassistant/+/+/+/config', 'sightline-ha/#'], { qos: 1 })
  expect(granted.map(({ qos }) => qos)).toEqual([1, 1])
  await home.publishAsync('homeassistant/status', 'online', { qos: 1 })
}

beforeAll(async () => {
  hub = await TestHub.start({ homeAssistant: { enabled: true } })
  await hub.sendState(state(['yard', 'lobby']))
  await connect()
})
afterAll(async () => {
  await home?.endAsync()
  await hub?.stop()
})

const configs = () =>
  [...held].filter(([topic]) => topic.endsWith('/config')).map(([, payload]) => JSON.parse(payload))
const poll = <T>(probe: () => T) => expect.poll(probe)
const onYard = 'sightline-ha/default/n1/yard/cat-in-view'

describe('Home Assistant', () => {
  it('finds a sensor for each camera and rule, off and available', async () => {
    await poll(() => configs().length).toBe(6)
    const config = configs().find(({ state_topic }) => state_topic === onYard)
    expect(config).toMatchObject({
      name: 'Cat in view',
      unique_id: expect.stringMatching(/^sightline_[0-9a-f]{20}$/),
      payload_on: 'ON',
      payload_off: 'OFF',
      availability_topic: 'sightline-ha/default/n1/availability',
      device: { identifiers: [expect.any(String)], name: 'yard (n1)' },
    })
    expect(new Set(configs().map(({ unique_id }) => unique_id)).size).toBe(6)
    expect(new Set(configs().map(({ device }) => device.identifiers[0])).size).toBe(2)
    await poll(() => held.get(onYard)).toBe('OFF')
    await poll(() => held.get(config.availability_topic)).toBe('online')
  })

  it('sees a sensor on for as long as an incident is open', async () => {
    await hub.sendIncident({ incident: INCIDENT, phase: 'new' })
    await poll(() => held.get(onYard)).toBe('ON')
    expect(held.get('sightline-ha/default/n1/lobby/cat-in-view')).toBe('OFF')
    await hub.sendIncident({ incident: INCIDENT, phase: 'end' })
    await poll(() => held.get(onYard)).toBe('OFF')
  })

  it('loses the sensors of rules and cameras that are gone', async () => {
    await hub.call('/api/v1/rules/cat-in-view', { method: 'DELETE' })
    // Two messages for each sensor, one after the other: the last of them may still be on its way.
    await poll(() => configs().length).toBe(4)
    await poll(() => held.has(onYard)).toBe(false)
    await hub.sendState(state(['yard']))
    await poll(() => configs().length).toBe(2)
  })

  it('finds all of it again after a restart of the hub, and what went meanwhile is taken back', async () => {
    await home.endAsync()
    await hub.restart()
    await connect()
    await poll(() => configs().length).toBe(2)
    // A hub that was down hears of no device: whoever does not report is away.
    await poll(() => held.get('sightline-ha/default/n1/availability')).toBe('offline')
    await hub.sendState(state(['yard'], true))
    await poll(() => held.get('sightline-ha/default/n1/availability')).toBe('online')
  })

  it('may read nothing else, and write nothing', async () => {
    const refused = await home.subscribeAsync(['#', 'zigbee2mqtt/#'], { qos: 1 }).catch(() => [])
    expect(refused.every(({ qos }) => qos === 128)).toBe(true)
    const closed = new Promise<void>(resolve => home.once('close', () => resolve()))
    home.publish('sightline-ha/default/n1/yard/cat-in-view', 'ON')
    await closed
  })
})

describe('a hub without it', () => {
  it('lets nobody read such topics', async () => {
    const plain = await TestHub.start()
    const client = await connectAsync(plain.mqttUrl, { reconnectPeriod: 0 })
    const granted = await client.subscribeAsync('homeassistant/#').catch(() => [{ qos: 128 }])
    expect(granted[0]!.qos).toBe(128)
    await client.endAsync()
    await plain.stop()
  })
})
