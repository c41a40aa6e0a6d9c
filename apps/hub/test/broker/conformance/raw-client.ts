import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createLog, fault } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { demoGate, type Gate } from '@sightline/hub/broker/gatekeeper.js'
import { generate, type Packet, parser } from 'mqtt-packet'
import { expect } from 'vitest'
import { MQTT_LIMITS } from '../../support/mqtt-settings.ts'

const log = createLog({ name: 'test', level: 'silent' })

export const SETTINGS = {
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

/** A broker and the raw clients of one test. The clauses that tests name are those of OASIS MQTT 3.1.1. */
export class Bench {
  #broker: Broker | undefined
  readonly #clients: RawClient[] = []

  async start(gate: Gate = openGate()): Promise<void> {
    this.#broker = new Broker({ settings: SETTINGS, ingest: { accept: async () => {} }, log, gate })
    await this.#broker.start()
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.socket.destroy()
    await this.#broker?.stop()
  }

  async raw(): Promise<RawClient> {
    const socket = connect(this.#broker!.port, '127.0.0.1')
    const client = new RawClient(socket)
    this.#clients.push(client)
    await once(socket, 'connect')
    return client
  }

  async session(clientId: string, change: object = {}): Promise<RawClient> {
    const client = await this.raw()
    client.send(hello(clientId, change))
    expect(await client.next('connack')).toMatchObject({ returnCode: 0 })
    return client
  }

  /** Comes back to a session that must still be there. */
  async resume(clientId: string): Promise<RawClient> {
    const client = await this.raw()
    client.send(hello(clientId, { clean: false }))
    expect(await client.next('connack')).toMatchObject({ returnCode: 0, sessionPresent: true })
    return client
  }
}

/** Bytes out, packets in. */
export class RawClient {
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
      if (this.closed) throw fault('INTERNAL', `closed before ${cmd}`)
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
      if (this.closed) throw fault('INTERNAL', 'closed before pingresp')
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

export const hello = (clientId: string, change: object = {}) =>
  ({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    clientId,
    ...change,
  }) as Packet

export const publish = (topic: string, payload: string, change: object = {}) =>
  ({
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload),
    qos: 0,
    dup: false,
    retain: false,
    ...change,
  }) as Packet

/** Resolves with what was granted. */
export async function subscribe(client: RawClient, ...filters: [string, 0 | 1 | 2][]): Promise<unknown> {
  client.send({
    cmd: 'subscribe',
    messageId: 9,
    subscriptions: filters.map(([topic, qos]) => ({ topic, qos })),
  } as unknown as Packet)
  return (await client.next('suback')).granted
}

export const texts = (packets: readonly Packet[]) =>
  packets.flatMap(packet => (packet.cmd === 'publish' ? [packet.payload.toString()] : []))
