import type { EventEmitter } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import {
  fault,
  type Log,
  messageOf,
  parseUplinkTopic,
  type Service,
  type SightlineError,
  TOPIC_PREFIX,
} from '@sightline/core'
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from 'aedes'
import type { OutgoingMessage } from '../ingest/ack-sender.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { HubSettings } from '../settings.ts'
import { GuardedSocket } from './guarded-socket.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Finds peers that vanished although they asked for no MQTT keep-alive. */
const TCP_KEEP_ALIVE_MS = 60_000
/** CONNACK return code 2: identifier rejected (MQTT 3.1.1, 3.1.3.1). */
const IDENTIFIER_REJECTED = 2

export interface BrokerStats {
  /** Connections cut off for a packet above the limit. */
  oversize: number
  /** Connections refused at the limit. */
  refused: number
}

export interface BrokerOptions {
  readonly settings: HubSettings['mqtt']
  readonly ingest: Pick<Ingest, 'accept'>
  readonly log: Log
  /** Whether a filter outside the product's own topics may be subscribed to. */
  readonly isReadableTopic?: ((filter: string) => boolean) | undefined
  /** Messages that are passed on and otherwise not heeded. */
  readonly isPassedTopic?: ((topic: string) => boolean) | undefined
}

/**
 * The embedded MQTT 3.1.1 broker. What devices publish is stored inside the authorisation step, because the broker
 * writes PUBACK right after it: a PUBACK therefore means stored.
 */
export class Broker implements Service {
  readonly name = 'broker'
  readonly stats: BrokerStats = { oversize: 0, refused: 0 }
  readonly #settings: HubSettings['mqtt']
  readonly #ingest: Pick<Ingest, 'accept'>
  readonly #log: Log
  readonly #isReadableTopic: (filter: string) => boolean
  readonly #isPassedTopic: (topic: string) => boolean
  readonly #sockets = new Set<Socket>()
  /** Messages being stored. */
  readonly #storing = new Set<Promise<void>>()
  #aedes: Aedes | undefined
  #server: Server | undefined

  constructor({ settings, ingest, log, isReadableTopic, isPassedTopic }: BrokerOptions) {
    this.#isReadableTopic = isReadableTopic ?? (() => false)
    this.#isPassedTopic = isPassedTopic ?? (() => false)
    this.#settings = settings
    this.#ingest = ingest
    this.#log = log
  }

  /** The port that is listened on, once started. */
  get port(): number {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get clients(): number {
    return this.#aedes?.connectedClients ?? 0
  }

  /** @throws PORT_IN_USE */
  async start(): Promise<void> {
    const { host, port, maxConnections } = this.#settings
    // Without an id there is no session to keep (MQTT-3.1.3-8).
    const nameless = new WeakSet<Client>()
    const aedes = await Aedes.createBroker({
      connectTimeout: CONNECT_TIMEOUT_MS,
      maxClientsIdLength: 128,
      preConnect: (client, packet, done) => {
        if (packet.clientId === '' && packet.clean === false) nameless.add(client)
        done(null, true)
      },
      // Only here does a refusal reach the client as a CONNACK with its code.
      authenticate: (client, _username, _password, done) => {
        if (nameless.has(client)) done(refusal('an empty client id needs a clean session'), false)
        else done(null, true)
      },
      authorizePublish: (client, packet, done) => {
        const storing = this.#authorizePublish(client, packet)
        this.#storing.add(storing)
        storing
          .finally(() => this.#storing.delete(storing))
          .then(
            () => done(null),
            (error: Error) => done(error),
          )
      },
      authorizeSubscribe: (_client, subscription, done) => {
        const allowed =
          subscription.topic.startsWith(`${TOPIC_PREFIX}/`) || this.#isReadableTopic(subscription.topic)
        // Without a subscription the answer is 0x80, failure (MQTT 3.1.1, 3.9.3).
        done(null, allowed ? subscription : null)
      },
    })
    for (const event of ['clientError', 'connectionError'] as const) {
      aedes.on(event, (client: Client | null, err: Error) => {
        this.#log.debug({ client: client?.id, err }, 'mqtt connection failed')
      })
    }
    // Without listeners, an error of either emitter would end the process.
    const failed = (err: Error) => this.#log.error({ err }, 'mqtt broker error')
    ;(aedes as EventEmitter).on('error', failed)
    const server = createServer(socket => this.#accept(socket, aedes))
    server.maxConnections = maxConnections
    server.on('drop', () => this.stats.refused++)
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
    } catch (cause) {
      await closeAedes(aedes)
      throw listenFault(cause as NodeJS.ErrnoException, this.#settings)
    }
    server.on('error', failed)
    this.#aedes = aedes
    this.#server = server
    this.#log.info({ host, port: this.port }, 'mqtt listening')
  }

  /** Takes nobody in any more, closes the connections and waits until what they sent is stored. */
  async stop(): Promise<void> {
    const server = this.#server
    const closed = new Promise<void>(resolve =>
      server === undefined ? resolve() : server.close(() => resolve()),
    )
    if (this.#aedes !== undefined) await closeAedes(this.#aedes)
    for (const socket of this.#sockets) socket.destroy()
    await closed
    await Promise.allSettled(this.#storing)
  }

  /** Resolves when the broker has taken the message; retained ones are kept for whoever subscribes later. */
  async publish({ topic, payload, qos, retain }: OutgoingMessage): Promise<void> {
    const aedes = this.#aedes
    if (aedes === undefined || aedes.closed) throw fault('NOT_READY', 'the broker is not running')
    await new Promise<void>((resolve, reject) => {
      const packet = {
        cmd: 'publish' as const,
        topic,
        payload: Buffer.from(payload),
        qos,
        retain,
        dup: false,
      }
      aedes.publish(packet, error => (error ? reject(error) : resolve()))
    })
  }

  #accept(socket: Socket, aedes: Aedes): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    const remote = socket.remoteAddress
    const { maxPacketBytes } = this.#settings
    aedes.handle(
      new GuardedSocket({
        socket,
        maxPacketBytes,
        onRefused: () => {
          this.stats.oversize++
          this.#log.warn({ remote, maxPacketBytes }, 'mqtt packet too large: connection closed')
        },
      }),
    )
  }

  /**
   * Devices publish uplink messages and nothing else; a refusal closes the connection, the only answer that MQTT 3.1.1
   * has (3.3.5). Wills come this way too; their client may be gone and then is null.
   */
  async #authorizePublish(client: Client | null, packet: PublishPacket): Promise<void> {
    const { topic, payload } = packet
    if (this.#isPassedTopic(topic)) {
      packet.retain = false
      return
    }
    const address = parseUplinkTopic(topic)
    if (address === undefined) {
      this.#log.warn({ client: client?.id, topic }, 'publish refused')
      throw fault('PAYLOAD_INVALID', `devices may not publish to ${topic}`)
    }
    // Retained messages live in memory: one state per device, and no pictures.
    if (address.type !== 'state') packet.retain = false
    await this.#ingest.accept(topic, typeof payload === 'string' ? Buffer.from(payload) : payload)
  }
}

function refusal(message: string): AuthenticateError {
  return Object.assign(fault('PAYLOAD_INVALID', message), { returnCode: IDENTIFIER_REJECTED })
}

function listenFault(cause: NodeJS.ErrnoException, { host, port }: HubSettings['mqtt']): SightlineError {
  if (cause.code === 'EADDRINUSE') {
    return fault('PORT_IN_USE', `MQTT port ${port} on ${host} is taken`, { cause })
  }
  return fault('CONFIG_INVALID', `mqtt.host, mqtt.port: ${messageOf(cause)}`, { cause })
}

async function closeAedes(aedes: Aedes): Promise<void> {
  if (!aedes.closed) await new Promise<void>(done => aedes.close(done))
}
