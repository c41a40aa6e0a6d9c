import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import {
  type Ack,
  addSeqs,
  decodeJson,
  decodeMessagePack,
  EMPTY_SEQ_SET,
  EmbeddingBatch,
  encodeJson,
  IncidentEvent,
  NodeState,
  nodeTopic,
  type SeqSet,
} from '@sightline/core'
import { Aedes } from 'aedes'
import { until } from '../support/until.ts'

export const ADDRESS = { site: 'site', node: 'node' }

export interface Arrival {
  readonly kind: 'frame' | 'event'
  readonly seq: number
  readonly historical: boolean
}

/** A real broker with a hub's ear behind it: it notes what comes and acknowledges when told to. */
export class TestBroker {
  readonly arrivals: Arrival[] = []
  readonly states: NodeState[] = []
  readonly stats: unknown[] = []
  readonly skipped: (readonly [number, number])[] = []
  readonly capturedAt: number[] = []
  batches = 0
  /** Acknowledge everything as it comes. */
  acking = false
  stored: SeqSet = EMPTY_SEQ_SET
  /** That there were at one time. */
  mostGaps = 0
  session = ''
  #aedes: Aedes | undefined
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()
  #port = 0

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`
  }

  get seqs(): number[] {
    return this.arrivals.map(({ seq }) => seq)
  }

  /** On the same port as before. */
  async start(): Promise<this> {
    const aedes = await Aedes.createBroker()
    this.#aedes = aedes
    aedes.authorizePublish = (_client, packet, done) => {
      this.#receive(packet.topic, packet.payload as Buffer)
      done(null)
    }
    // Like the hub's: small packets go at once.
    this.#server = createServer({ noDelay: true }, socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      aedes.handle(socket)
    })
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
    return this
  }

  /** As if it were killed: connections break, sessions are forgotten. */
  async stop(): Promise<void> {
    const server = this.#server
    const aedes = this.#aedes
    if (server === undefined || aedes === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    this.cut()
    await closed
    await new Promise<void>(resolve => aedes.close(resolve))
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async publish(topic: string, payload: Uint8Array, retain = false): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#aedes!.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain, dup: false },
        error => (error ? reject(error) : resolve()),
      )
    })
  }

  async acknowledge(stored: SeqSet = this.stored, session = this.session): Promise<void> {
    const ack: Ack = { v: 1, session, upTo: stored.upTo, ranges: stored.ranges.map(([a, b]) => [a, b]) }
    await this.publish(nodeTopic('ack', ADDRESS), encodeJson(ack))
  }

  async arrived(count: number): Promise<void> {
    await until(() => this.arrivals.length >= count)
  }

  #receive(topic: string, payload: Buffer): void {
    if (topic === nodeTopic('state', ADDRESS)) this.states.push(decodeJson(NodeState, payload))
    if (topic === nodeTopic('stats', ADDRESS)) this.stats.push(JSON.parse(payload.toString()))
    if (topic === nodeTopic('event', ADDRESS)) {
      const { seq, session } = decodeJson(IncidentEvent, payload)
      this.#store(session, [{ kind: 'event', seq, historical: false }])
    }
    if (topic === nodeTopic('emb', ADDRESS)) {
      const { items, historical, session, skipped } = decodeMessagePack(EmbeddingBatch, payload)
      this.batches++
      this.capturedAt.push(...items.map(item => item.capturedAt))
      this.skipped.push(...skipped)
      this.stored = addSeqs(this.stored, skipped)
      this.#store(
        session,
        items.map(({ seq }) => ({ kind: 'frame', seq, historical })),
      )
    }
  }

  #store(session: string, arrivals: readonly Arrival[]): void {
    this.session = session
    this.arrivals.push(...arrivals)
    this.stored = addSeqs(
      this.stored,
      arrivals.map(({ seq }) => [seq, seq]),
    )
    this.mostGaps = Math.max(this.mostGaps, this.stored.ranges.length)
    if (this.acking) void this.acknowledge()
  }
}
