import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Clock, createLog, nodeTopic, systemClock } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { Connections } from '@sightline/hub/broker/connections.js'
import { PacketDeadline } from '@sightline/hub/broker/packet-deadline.js'
import { generate, type Packet, parser } from 'mqtt-packet'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'
import { ADDRESS } from '../ingest/messages.ts'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'

const log = createLog({ name: 'test', level: 'silent' })
const TOPIC = nodeTopic('emb', ADDRESS)
const SETTINGS = { host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, maxConnections: 100 }

let broker: Broker
let clock: FakeClock
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await broker.stop()
})

async function startBroker(limits: Partial<typeof MQTT_LIMITS>, time?: Clock): Promise<void> {
  clock = new FakeClock()
  const settings = { ...SETTINGS, ...MQTT_LIMITS, ...limits }
  broker = new Broker({ settings, ingest: { accept: async () => {} }, clock: time ?? clock, log })
  await broker.start()
}

async function open(localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: broker.port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {})
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

/** Logged in: CONNACK has come. */
async function client(clientId: string, localAddress?: string): Promise<Socket> {
  const socket = await open(localAddress)
  const connack = once(socket, 'data')
  send(socket, {
    cmd: 'connect',
    clientId,
    clean: true,
    keepalive: 0,
    protocolId: 'MQTT',
    protocolVersion: 4,
  })
  await connack
  return socket
}

function send(socket: Socket, packet: Packet): void {
  socket.write(generate(packet))
}

describe('connections of one address', () => {
  it('are refused above the limit, and others are let in', async () => {
    await startBroker({ maxConnectionsPerAddress: 2 })
    const first = await client('a')
    await client('b')
    await once(await open(), 'close')
    expect(broker.stats.addressRefused).toBe(1)
    expect(broker.stats.refused).toBe(0)
    await client('c', '127.0.0.2')
    // Room is made when the broker has noticed the end.
    first.destroy()
    await expect.poll(() => broker.clients).toBe(2)
    await client('d')
    expect(broker.stats.addressRefused).toBe(1)
  })

  it('are counted only while they stand', async () => {
    await startBroker({})
    const connections = new Connections({ maxPerAddress: 1, log })
    const all = [await open(), await open()]
    expect(all.map(socket => connections.add(socket))).toEqual([true, false])
    expect(connections.addresses).toBe(1)
    const closed = once(all[0]!, 'close')
    connections.destroy()
    await closed
    expect(connections.addresses).toBe(0)
    expect(connections.add(all[1]!)).toBe(true)
  })
})

describe('a packet that does not end', () => {
  const publish = generate({
    cmd: 'publish',
    topic: 'x',
    payload: 'y'.repeat(100),
    qos: 0,
    retain: false,
    dup: false,
  })

  it('closes its connection, however often a byte of it comes', async () => {
    await startBroker({ packetTimeoutSeconds: 30 })
    const slow = await client('slow')
    const good = await client('good')
    const closed = once(slow, 'close')
    slow.write(publish.subarray(0, 1))
    await expect.poll(() => clock.sleeping).toEqual([30_000])
    for (let at = 1; at < 30; at++) {
      slow.write(publish.subarray(at, at + 1))
      await clock.advance(1000)
    }
    expect(broker.stats.packetTimeouts).toBe(0)
    await clock.advance(1000)
    await closed
    expect(broker.stats.packetTimeouts).toBe(1)
    const answer = once(good, 'data')
    send(good, { cmd: 'pingreq' })
    await answer
  })

  it('has the time for each packet anew, and none passes between packets', async () => {
    await startBroker({ packetTimeoutSeconds: 30 })
    const slow = await client('slow')
    const ping = generate({ cmd: 'pingreq' })
    for (let i = 0; i < 4; i++) {
      slow.write(ping.subarray(0, 1))
      await expect.poll(() => clock.sleeping.length).toBe(1)
      await clock.advance(20_000)
      const answer = once(slow, 'data')
      slow.write(ping.subarray(1))
      await answer
      await clock.advance(100_000)
      expect(clock.sleeping).toEqual([])
    }
    expect(broker.stats.packetTimeouts).toBe(0)
  })

  it('is not blamed for time in which nobody reads', async () => {
    clock = new FakeClock()
    let expired = 0
    const deadline = new PacketDeadline({ timeoutMs: 1000, clock, onExpired: () => expired++ })
    deadline.within(1)
    await clock.advance(900)
    deadline.pause()
    await clock.advance(60_000)
    deadline.resume()
    await clock.advance(99)
    expect(expired).toBe(0)
    await clock.advance(1)
    expect(expired).toBe(1)
    expect(clock.sleeping).toEqual([])
  })
})

describe('messages of one connection', () => {
  const publish = (i: number) =>
    generate({
      cmd: 'publish',
      topic: TOPIC,
      payload: `${i}`,
      qos: 1,
      messageId: i,
      retain: false,
      dup: false,
    })
  const many = (count: number) => Buffer.concat(Array.from({ length: count }, (_, i) => publish(i + 1)))

  /** Message ids of the PUBACKs, as they come. */
  function acknowledged(socket: Socket): number[] {
    const ids: number[] = []
    const packets = parser({ protocolVersion: 4 })
    packets.on('packet', packet => packet.cmd === 'puback' && ids.push(packet.messageId!))
    socket.on('data', chunk => packets.parse(chunk))
    return ids
  }

  it('are slowed down to the rate, and none is dropped', async () => {
    await startBroker({ maxMessagesPerSecond: 10 })
    const fast = await client('fast')
    const ids = acknowledged(fast)
    fast.write(many(18))
    await expect.poll(() => ids.length).toBe(10)
    expect(broker.stats.throttled).toBe(1)
    for (let i = 11; i <= 18; i++) {
      await expect.poll(() => clock.sleeping).toEqual([100])
      await clock.advance(99)
      expect(ids.length).toBe(i - 1)
      await clock.advance(1)
      await expect.poll(() => ids.length).toBe(i)
    }
    expect(ids).toEqual(Array.from({ length: 18 }, (_, i) => i + 1))
    expect(clock.sleeping).toEqual([])
    expect(broker.stats).toMatchObject({ throttled: 8, packetTimeouts: 0 })
  })

  it('come at once again after a rest, and do not slow down others', async () => {
    await startBroker({ maxMessagesPerSecond: 10 })
    const [fast, good] = [await client('fast'), await client('good')]
    const [ids, others] = [acknowledged(fast), acknowledged(good)]
    fast.write(many(10))
    await expect.poll(() => ids.length).toBe(10)
    await clock.advance(1000)
    fast.write(many(20))
    await expect.poll(() => ids.length).toBe(20)
    good.write(many(10))
    await expect.poll(() => others.length).toBe(10)
    // A connection that ends while it waits leaves nothing behind.
    fast.destroy()
    await clock.advance(1000)
    await expect.poll(() => broker.clients).toBe(1)
  })

  it('are paced in real time, also when they fill every buffer', async () => {
    await startBroker({ maxMessagesPerSecond: 1000 }, systemClock)
    const fast = await client('fast')
    const ids = acknowledged(fast)
    // Far more than it takes in a second, however slow the machine is.
    fast.write(many(4000))
    await expect.poll(() => ids.length).toBe(4000)
    expect(broker.stats.throttled).toBeGreaterThan(0)
  })
})
