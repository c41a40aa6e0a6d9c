import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createLog } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import type { Gate } from '@sightline/hub/broker/gatekeeper.js'
import { demoGate } from '@sightline/hub/broker/gatekeeper.js'
import { generate, type Packet, parser } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'

/** The clauses are those of OASIS MQTT 3.1.1. */

const log = createLog({ name: 'test', level: 'silent' })
const SETTINGS = {
  host: '127.0.0.1',
  port: 0,
  maxPacketBytes: 64 * 1024,
  maxConnections: 100,
  ...MQTT_LIMITS,
}

/** What `broker.access: open` lets do, with the identifier rule of every gate. */
function openGate(): Gate {
  const demo = demoGate()
  return {
    ...demo,
    admit: request => {
      demo.admit(request)
      return { kind: 'open' }
    },
  }
}

let broker: Broker
const clients: RawClient[] = []

beforeEach(async () => {
  broker = new Broker({ settings: SETTINGS, ingest: { accept: async () => {} }, log, gate: openGate() })
  await broker.start()
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy()
  await broker.stop()
})

/** Bytes out, packets in. */
class RawClient {
  readonly packets: Packet[] = []
  readonly socket: Socket
  readonly #parser = parser({ protocolVersion: 4 })
  #wake = () => {}
  closed = false

  constructor(socket: Socket) {
    this.socket = socket
    this.#parser.on('packet', packet => {
      this.packets.push(packet)
      this.#wake()
    })
    socket.on('data', chunk => this.#parser.parse(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  send(packet: Packet | Buffer): this {
    this.socket.write(Buffer.isBuffer(packet) ? packet : generate(packet))
    return this
  }

  /** Takes the next packet out; it must be of this kind. */
  async next(cmd: Packet['cmd']): Promise<Record<string, unknown>> {
    while (this.packets.length === 0) {
      if (this.closed) throw new Error(`closed before ${cmd}`)
      await this.#changed()
    }
    const packet = this.packets.shift()!
    expect(packet.cmd).toBe(cmd)
    return packet as unknown as Record<string, unknown>
  }

  /** Everything that comes before the answer to a ping. */
  async quiet(): Promise<Packet[]> {
    this.send({ cmd: 'pingreq' })
    while (!this.packets.some(({ cmd }) => cmd === 'pingresp')) {
      if (this.closed) throw new Error('closed before pingresp')
      await this.#changed()
    }
    return this.packets.splice(0).filter(({ cmd }) => cmd !== 'pingresp')
  }

  async end(): Promise<void> {
    while (!this.closed) await this.#changed()
  }

  #changed(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}

async function raw(): Promise<RawClient> {
  const socket = connect(broker.port, '127.0.0.1')
  const client = new RawClient(socket)
  clients.push(client)
  await once(socket, 'connect')
  return client
}

const hello = (clientId: string, change: object = {}) =>
  ({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    clientId,
    ...change,
  }) as Packet

async function session(clientId: string, change: object = {}): Promise<RawClient> {
  const client = await raw()
  client.send(hello(clientId, change))
  expect(await client.next('connack')).toMatchObject({ returnCode: 0 })
  return client
}

const publish = (topic: string, payload: string, change: object = {}) =>
  ({
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload),
    qos: 0,
    dup: false,
    retain: false,
    ...change,
  }) as Packet

async function subscribe(client: RawClient, ...filters: [string, 0 | 1 | 2][]): Promise<unknown> {
  client.send({
    cmd: 'subscribe',
    messageId: 9,
    subscriptions: filters.map(([topic, qos]) => ({ topic, qos })),
  } as unknown as Packet)
  return (await client.next('suback')).granted
}

const texts = (packets: readonly Packet[]) =>
  packets.flatMap(packet => (packet.cmd === 'publish' ? [packet.payload.toString()] : []))

/** A packet whose string has other bytes than any text would have. */
function withBytes(packet: Packet, marker: string, bytes: readonly number[]): Buffer {
  const whole = generate(packet)
  const at = whole.indexOf(marker)
  Buffer.from(bytes).copy(whole, at)
  return whole
}

const ILL_FORMED: readonly (readonly [string, readonly number[]])[] = [
  ['a byte that begins nothing', [0xff, 0x61, 0x61]],
  ['an overlong form', [0xc0, 0xaf, 0x61]],
  ['a surrogate (MQTT-1.5.3-1)', [0xed, 0xa0, 0x80]],
  ['U+0000 (MQTT-1.5.3-2)', [0x00, 0x61, 0x61]],
]

describe('connections', () => {
  it('refuses an empty client id without clean session, with code 2, and closes (MQTT-3.1.3-8)', async () => {
    const client = await raw()
    // mqtt-packet would not write it.
    client.send(
      Buffer.from([0x10, 0x0c, 0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x04, 0x00, 0x00, 0x3c, 0x00, 0x00]),
    )
    expect(await client.next('connack')).toMatchObject({ returnCode: 2, sessionPresent: false })
    await client.end()
  })

  it('takes an empty client id with a clean session (MQTT-3.1.3-6)', async () => {
    await session('')
  })

  it('closes at a second CONNECT (MQTT-3.1.0-2)', async () => {
    const client = await session('twice')
    await client.send(hello('twice')).end()
  })

  it('closes when the first packet is not CONNECT (MQTT-3.1.0-1)', async () => {
    await (await raw()).send(publish('a', 'x')).end()
  })

  it('answers another protocol level with code 1 (MQTT-3.1.2-2)', async () => {
    const client = await raw()
    client.send(generate(hello('five', { protocolVersion: 5 }), { protocolVersion: 5 }))
    expect(await client.next('connack')).toMatchObject({ returnCode: 1 })
    await client.end()
  })

  it('says whether it has a session (MQTT-3.2.2-1, -2, -3)', async () => {
    const first = await raw()
    first.send(hello('stay', { clean: false }))
    expect(await first.next('connack')).toMatchObject({ sessionPresent: false })
    await subscribe(first, ['a', 1])
    await first.send({ cmd: 'disconnect' }).end()
    const second = await raw()
    second.send(hello('stay', { clean: false }))
    expect(await second.next('connack')).toMatchObject({ sessionPresent: true })
    await second.send({ cmd: 'disconnect' }).end()
    const third = await raw()
    third.send(hello('stay'))
    expect(await third.next('connack')).toMatchObject({ sessionPresent: false })
  })

  it('hands a client id over to who comes later (MQTT-3.1.4-2)', async () => {
    const first = await session('same')
    await session('same')
    await first.end()
  })

  it('closes after one and a half keep-alive times of silence (MQTT-3.1.2-24)', async () => {
    const client = await session('silent', { keepalive: 1 })
    const since = performance.now()
    await client.end()
    expect(performance.now() - since).toBeGreaterThan(1400)
  })

  it('closes at reserved flags (MQTT-2.2.2-2)', async () => {
    for (const bytes of [
      [0x80, 0x02, 0x00, 0x09],
      [0xc1, 0x00],
      [0x60, 0x02, 0x00, 0x01],
      [0xf0, 0x00],
    ])
      await (await session('flags')).send(Buffer.from(bytes)).end()
  })

  it('closes at a packet above the limit, and at QoS 3 (MQTT-3.3.1-4)', async () => {
    await (await session('large')).send(publish('a', 'x'.repeat(SETTINGS.maxPacketBytes))).end()
    await (await session('three')).send(Buffer.from([0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01])).end()
  })

  for (const [what, bytes] of ILL_FORMED)
    it(`closes at ${what} in a client id, a topic or a filter`, async () => {
      const caller = await raw()
      await caller.send(withBytes(hello('zzz'), 'zzz', bytes)).end()
      expect(caller.packets).toEqual([])
      const sender = await session('sender')
      await sender.send(withBytes(publish('zzz', 'x', { qos: 1, messageId: 1 }), 'zzz', bytes)).end()
      expect(sender.packets).toEqual([])
      const listener = await session('listener')
      const asked = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'zzz', qos: 0 }] }
      await listener.send(withBytes(asked as unknown as Packet, 'zzz', bytes)).end()
      expect(listener.packets).toEqual([])
    })
})

describe('subscriptions', () => {
  it('answers a refused one with 0x80 (MQTT-3.8.4-5)', async () => {
    await broker.stop()
    broker = new Broker({ settings: SETTINGS, ingest: { accept: async () => {} }, log, gate: demoGate() })
    await broker.start()
    expect(await subscribe(await session('a'), ['foreign/topic', 1], ['sightline/v1/#', 1])).toEqual([128, 1])
  })

  it('closes at a wildcard in the topic of a PUBLISH (MQTT-3.3.2-2)', async () => {
    for (const topic of ['a/+', 'a/#']) await (await session('wild')).send(publish(topic, 'x')).end()
  })

  it('matches + to one level and # to all, none of them to $-topics at the front (MQTT-4.7.1, 4.7.2-1)', async () => {
    const one = await session('one')
    await subscribe(one, ['a/+', 0])
    const all = await session('all')
    await subscribe(all, ['#', 0])
    await subscribe(await session('sys'), ['$SYS/#', 0])
    const sender = await session('sender')
    for (const topic of ['a', 'a/b', 'a/b/c', 'a/']) sender.send(publish(topic, topic))
    await sender.quiet()
    expect(texts(await one.quiet())).toEqual(['a/b', 'a/'])
    const heard = await all.quiet()
    expect(texts(heard)).toEqual(['a', 'a/b', 'a/b/c', 'a/'])
    expect(heard.some(packet => packet.cmd === 'publish' && packet.topic.startsWith('$'))).toBe(false)
  })

  it('delivers once where subscriptions overlap (3.3.5)', async () => {
    const client = await session('overlap')
    await subscribe(client, ['a/#', 1], ['a/b', 1], ['+/b', 1])
    const sender = await session('sender')
    sender.send(publish('a/b', 'x', { qos: 1, messageId: 1 }))
    await sender.next('puback')
    const heard = await client.quiet()
    expect(heard).toHaveLength(1)
    expect(heard[0]).toMatchObject({ cmd: 'publish', qos: 1 })
  })

  it('ends with UNSUBSCRIBE (MQTT-3.10.4-1, -4)', async () => {
    const client = await session('leaver')
    await subscribe(client, ['a', 0])
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['a'] } as unknown as Packet)
    expect(await client.next('unsuback')).toMatchObject({ messageId: 3 })
    const sender = await session('sender')
    await sender.send(publish('a', 'x')).quiet()
    expect(await client.quiet()).toEqual([])
  })
})

describe('retained messages', () => {
  it('come with the flag at subscription, without it to who listens already, and go when emptied (MQTT-3.3.1-5 to -11)', async () => {
    const sender = await session('sender')
    const early = await session('early')
    await subscribe(early, ['r', 0])
    for (const text of ['one', 'two']) sender.send(publish('r', text, { retain: true }))
    await sender.quiet()
    const heard = await early.quiet()
    expect(texts(heard)).toEqual(['one', 'two'])
    expect(heard.every(packet => packet.cmd === 'publish' && !packet.retain)).toBe(true)
    const late = await session('late')
    await subscribe(late, ['r', 0])
    const [kept, ...rest] = await late.quiet()
    expect([kept, rest]).toMatchObject([{ cmd: 'publish', retain: true, payload: Buffer.from('two') }, []])
    await sender.send(publish('r', '', { retain: true })).quiet()
    const last = await session('last')
    await subscribe(last, ['r', 0])
    expect(await last.quiet()).toEqual([])
  })
})

describe('delivery', () => {
  for (const qos of [1, 2] as const)
    it(`sends QoS ${qos} again to a session that comes back, with DUP (MQTT-4.4.0-1, MQTT-3.3.1-1)`, async () => {
      const first = await session('stay', { clean: false })
      await subscribe(first, ['a', qos])
      const sender = await session('sender')
      sender.send(publish('a', 'x', { qos: 1, messageId: 1 }))
      await sender.next('puback')
      const before = await first.next('publish')
      expect(before).toMatchObject({ qos: 1, dup: false })
      first.socket.destroy()
      await first.end()
      const second = await raw()
      second.send(hello('stay', { clean: false }))
      await second.next('connack')
      const again = await second.next('publish')
      expect(again).toMatchObject({ messageId: before.messageId, dup: true, payload: Buffer.from('x') })
    })

  it('keeps for a session what comes while its client is away (MQTT-3.1.2-5)', async () => {
    const first = await session('away', { clean: false })
    await subscribe(first, ['a', 1])
    await first.send({ cmd: 'disconnect' }).end()
    const sender = await session('sender')
    sender.send(publish('a', 'x', { qos: 1, messageId: 1 }))
    await sender.next('puback')
    const second = await raw()
    second.send(hello('away', { clean: false }))
    await second.next('connack')
    expect(await second.next('publish')).toMatchObject({ qos: 1, payload: Buffer.from('x') })
  })

  it('delivers QoS 2 once, however often it is sent (MQTT-4.3.3-2)', async () => {
    const listener = await session('listener')
    await subscribe(listener, ['a', 0])
    const sender = await session('sender')
    for (const dup of [false, true, true]) {
      sender.send(publish('a', 'x', { qos: 2, messageId: 5, dup }))
      expect(await sender.next('pubrec')).toMatchObject({ messageId: 5 })
    }
    for (let i = 0; i < 2; i++) {
      sender.send({ cmd: 'pubrel', messageId: 5 })
      expect(await sender.next('pubcomp')).toMatchObject({ messageId: 5 })
    }
    expect(texts(await listener.quiet())).toEqual(['x'])
  })

  it('publishes the will of who is cut off, not of who says goodbye (MQTT-3.1.2-8, -10)', async () => {
    const listener = await session('listener')
    await subscribe(listener, ['will', 0])
    const will = (payload: string) => ({
      will: { topic: 'will', payload: Buffer.from(payload), qos: 0, retain: false },
    })
    await (await session('polite', will('polite'))).send({ cmd: 'disconnect' }).end()
    const dead = await session('dead', will('dead'))
    dead.socket.destroy()
    expect(await listener.next('publish')).toMatchObject({ payload: Buffer.from('dead') })
    expect(await listener.quiet()).toEqual([])
  })
})
