import { once } from 'node:events'
import { connect } from 'node:net'
import { type DeviceCredential, nodeTopic, rulesTopic, systemClock } from '@sightline/core'
import type { MqttClient } from 'mqtt'
import { generate } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADDRESS, batchOf, SESSION, stateOf } from '../ingest/messages.ts'
import { TestFleet } from '../support/fleet.ts'
import { nextEvent } from '../support/next-event.ts'

const OTHER = { site: 'plant', node: 'gate' }
const STRANGE = { site: 'elsewhere', node: 'dock' }
const RULES = rulesTopic('plant', 'all', 'mini:0123456789ab')

let fleet: TestFleet
let own: DeviceCredential
let other: DeviceCredential
beforeEach(async () => {
  fleet = await TestFleet.start(systemClock)
  own = await fleet.enrol(ADDRESS)
  other = await fleet.enrol(OTHER)
})
afterEach(() => fleet.stop())

const code = (pending: Promise<MqttClient>) =>
  pending.then(
    () => 0,
    error => error.code,
  )
const granted = async (client: MqttClient, filter: string) =>
  client.subscribeAsync(filter, { qos: 1 }).then(
    grants => grants.map(({ qos }) => qos),
    () => [128],
  )

describe('log-in', () => {
  it('takes a device by its credential, and again', async () => {
    const first = await fleet.connect(own)
    const gone = nextEvent(first, 'close')
    const second = await fleet.connect(own)
    await gone
    expect(second.connected).toBe(true)
    await expect.poll(() => fleet.registry.device(ADDRESS)?.lastUsedAt).toBeGreaterThan(0)
  })

  it.each([
    ['nobody', {}],
    ['a wrong secret', { username: 'plant~dock', password: 'wrong' }],
    ['no secret', { username: 'plant~dock' }],
    ['an unknown device', { username: 'plant~nobody', clientId: 'plant~nobody', password: 'x' }],
  ])('refuses %s with code 5', async (_what, options) => {
    expect(await code(fleet.connect(undefined, { clientId: 'plant~dock', ...options }))).toBe(5)
    expect(fleet.gate.stats.authFailures).toBe(1)
  })

  it.each([
    ['the user name of another', { username: 'plant~gate' }],
    ['the client id of another', { clientId: 'plant~gate' }],
    ['a client id of its own making', { clientId: 'observer' }],
    ['no client id', { clientId: '' }],
  ])('refuses a right secret with %s', async (_what, change) => {
    expect(await code(fleet.connect(own, change))).toBe(5)
  })

  it('lets nobody throw a device off who cannot show its secret', async () => {
    const victim = await fleet.connect(own)
    expect(await code(fleet.connect(other, { clientId: 'plant~dock' }))).toBe(5)
    expect(await code(fleet.connect(own, { password: other.secret }))).toBe(5)
    await victim.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1 })
    expect(victim.connected).toBe(true)
  })

  it('refuses a will for anybody but itself', async () => {
    const topics = [
      nodeTopic('state', OTHER),
      nodeTopic('emb', ADDRESS),
      nodeTopic('ack', ADDRESS),
      '$SYS/x/new/clients',
    ]
    for (const topic of topics) {
      const will = { topic, payload: stateOf({ online: false }), qos: 1 as const, retain: true }
      expect(await code(fleet.connect(own, { will }))).toBe(5)
    }
    const will = { topic: nodeTopic('state', ADDRESS), payload: stateOf({ online: false }), qos: 1 as const }
    const device = await fleet.connect(own, { will })
    device.stream.destroy()
    await expect.poll(() => fleet.store.nodes()[0]?.state?.online).toBe(false)
  })

  it('lets a device look whether it would get in beside its agent', async () => {
    const agent = await fleet.connect(own)
    const doctor = await fleet.connect(own, { clientId: 'plant~dock~doctor' })
    expect(await granted(doctor, nodeTopic('ack', ADDRESS))).toEqual([128])
    doctor.publish(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1 })
    await nextEvent(doctor, 'close')
    expect(agent.connected).toBe(true)
    expect(fleet.store.counts().frames).toBe(0)
  })

  it('closes unheard, after many failures, whoever comes from that address', async () => {
    for (let i = 0; i < 11; i++) await code(fleet.connect(undefined, { clientId: 'guess' }))
    const socket = connect(fleet.broker.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'close')
    expect(fleet.gate.stats).toMatchObject({ authFailures: 11, authBlocked: 1 })
  })
})

describe('a device', () => {
  it.each([
    ['another node', nodeTopic('emb', OTHER)],
    ['its own name at another site', nodeTopic('emb', STRANGE)],
    ['its own acknowledgements', nodeTopic('ack', ADDRESS)],
    ['its own commands', nodeTopic('cmd', ADDRESS)],
    ['its own desired settings', nodeTopic('cfg/desired', ADDRESS)],
    ['the rules', RULES],
    ['$SYS', '$SYS/x/new/clients'],
    ['a topic outside the protocol', 'other/topic'],
    ['a topic below its own', `${nodeTopic('emb', ADDRESS)}/x`],
  ])('is cut off when it publishes to %s', async (_what, topic) => {
    const device = await fleet.connect(own)
    const bystander = await fleet.connect(other)
    device.publish(topic, batchOf([1]), { qos: 1, retain: true })
    await nextEvent(device, 'close')
    expect(fleet.gate.stats.publishesRefused).toBe(1)
    await bystander.publishAsync(nodeTopic('emb', OTHER), batchOf([1]), { qos: 1 })
    expect(fleet.store.stored('plant', 'gate', SESSION).upTo).toBe(1)
    expect(fleet.store.counts().frames).toBe(1)
  })

  it('is cut off when it publishes to a wildcard (MQTT-3.3.2-2)', async () => {
    const socket = connect(fleet.broker.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    const id = 'plant~dock'
    const head = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 } as const
    const password = Buffer.from(own.secret)
    socket.write(generate({ cmd: 'connect', ...head, clientId: id, username: id, password }))
    expect([...((await once(socket, 'data'))[0] as Buffer)]).toEqual([0x20, 2, 0, 0])
    // Written by hand: no library makes such a packet.
    const topic = Buffer.from('sightline/v1/plant/emb/+')
    socket.write(
      Buffer.concat([Buffer.from([0x32, topic.length + 4, 0, topic.length]), topic, Buffer.from([0, 1])]),
    )
    await once(socket, 'close')
    expect(fleet.store.quarantined()).toEqual([])
  })

  it('subscribes to what is for it alone', async () => {
    const device = await fleet.connect(own)
    for (const filter of [
      nodeTopic('ack', ADDRESS),
      nodeTopic('cmd', ADDRESS),
      nodeTopic('cfg/desired', ADDRESS),
      RULES,
    ])
      expect(await granted(device, filter)).toEqual([1])
    for (const filter of [
      '#',
      '+/v1/plant/ack/dock',
      '$SYS/#',
      '$SYS/+/heartbeat',
      'sightline/#',
      'sightline/v1/plant/#',
      'sightline/v1/plant/ack/+',
      'sightline/v1/plant/ack/dock/#',
      'sightline/v1/plant/rules/#',
      'sightline/v1/plant/rules/all/+',
      rulesTopic('elsewhere', 'all', 'mini:0123456789ab'),
      nodeTopic('ack', OTHER),
      nodeTopic('cmd', OTHER),
      nodeTopic('emb', ADDRESS),
      nodeTopic('state', OTHER),
      '$share/group/sightline/v1/plant/ack/dock',
    ])
      expect(await granted(device, filter), filter).toEqual([128])
    expect(device.connected).toBe(true)
    expect(fleet.gate.stats.subscriptionsRefused).toBe(16)
  })

  it('retains its state and its reported settings, and no pictures', async () => {
    const device = await fleet.connect(own)
    const retained = { qos: 1, retain: true } as const
    await device.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1]), retained)
    await device.publishAsync(nodeTopic('event', ADDRESS), 'x', retained)
    await device.publishAsync(nodeTopic('cfg/reported', ADDRESS), '{}', retained)
    await device.publishAsync(nodeTopic('state', ADDRESS), stateOf(), retained)
    await fleet.stop()
    fleet = await TestFleet.start(systemClock)
    // Only somebody without identity may read them back: on a hub of the loopback demo.
    const publisher = await fleet.connect()
    for (const type of ['emb', 'event', 'cfg/reported', 'state'] as const)
      await publisher.publishAsync(nodeTopic(type, ADDRESS), type === 'state' ? stateOf() : '{}', retained)
    const late = await fleet.connect()
    const topics: string[] = []
    late.on('message', topic => topics.push(topic))
    await late.subscribeAsync('sightline/v1/plant/#', { qos: 1 })
    await expect.poll(() => topics.length).toBe(2)
    expect(topics.sort()).toEqual([nodeTopic('cfg/reported', ADDRESS), nodeTopic('state', ADDRESS)])
  })
})

describe('while it is connected', () => {
  it('a device that is revoked is dropped at once and goes offline', async () => {
    const will = {
      topic: nodeTopic('state', ADDRESS),
      payload: stateOf({ online: false }),
      qos: 1 as const,
      retain: true,
    }
    const device = await fleet.connect(own, { will })
    const bystander = await fleet.connect(other)
    const closed = nextEvent(device, 'close')
    const startedMs = performance.now()
    await fleet.desk.revoke(ADDRESS, 'test')
    await closed
    expect(performance.now() - startedMs).toBeLessThan(5000)
    expect(await code(fleet.connect(own))).toBe(5)
    expect(bystander.connected).toBe(true)
    await expect.poll(() => fleet.store.nodes()[0]?.state?.online).toBe(false)
  })

  it('a device that enrols again loses its former connection', async () => {
    const device = await fleet.connect(own)
    const closed = nextEvent(device, 'close')
    await fleet.enrol(ADDRESS)
    await closed
  })

  it('a device that is to rotate is told so', async () => {
    const device = await fleet.connect(own)
    await device.subscribeAsync(nodeTopic('cmd', ADDRESS), { qos: 1 })
    const heard = nextEvent(device, 'message')
    await fleet.desk.askRotation(ADDRESS, 'test')
    const command = JSON.parse(String((await heard)[1]))
    expect(command).toMatchObject({ v: 1, command: 'rotate-credential', args: {} })
    const login = fleet.logins.login('plant~dock', own.secret)!
    const next = await fleet.desk.rotate(login, { hubUrl: 'x', brokerUrl: 'y' })
    expect(fleet.registry.device(ADDRESS)?.rotationAskedAt).toBeNull()
    const again = await fleet.connect(next)
    expect(again.connected).toBe(true)
  })
})
