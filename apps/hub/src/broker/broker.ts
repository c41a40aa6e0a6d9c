import type { EventEmitter } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:tls'
import { type Clock, fault, type Log, parseUplinkTopic, systemClock } from '@sightline/core'
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from 'aedes'
import type { OutgoingMessage } from '../ingest/ack-sender.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { HubSettings } from '../settings.ts'
import type { TlsKeeper } from '../tls/tls-keeper.ts'
import { type BrokerLink, type BrokerStats, noBrokerStats } from './broker-link.ts'
import { type Caller, mayPublish, mayRetain, maySubscribe } from './caller.ts'
import { Connections } from './connections.ts'
import { type ConnectRequest, demoGate, type Gate } from './gatekeeper.ts'
import { type ConnectionLimit, GuardedSocket } from './guarded-socket.ts'
import { listen } from './listen.ts'
import { deliverOvertaken } from './overtaken.ts'
import { markRedelivery } from './redelivery.ts'
import { requireWellFormed } from './well-formed.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Finds peers that vanished although they asked for no MQTT keep-alive. */
const TCP_KEEP_ALIVE_MS = 60_000

export interface BrokerOptions {
  readonly settings: HubSettings['mqtt']
  readonly ingest: Pick<Ingest, 'accept'>
  readonly log: Log
  /** Whether a filter outside the product's own topics may be subscribed to. */
  readonly isReadableTopic?: ((filter: string) => boolean) | undefined
  /** Messages that are passed on and otherwise not heeded. */
  readonly isPassedTopic?: ((topic: string) => boolean) | undefined
  /** Default: lets everybody in, to the rules of the loopback demo. */
  readonly gate?: Gate
  readonly clock?: Clock
  /** Default: plain TCP. */
  readonly tls?: Pick<TlsKeeper, 'contextFor' | 'attach'>
}

/**
 * The embedded MQTT 3.1.1 broker. What devices publish is stored inside the authorisation step, because the broker
 * writes PUBACK right after it: a PUBACK therefore means stored.
 */
export class Broker implements BrokerLink {
  readonly name = 'broker'
  readonly stats: BrokerStats = noBrokerStats()
  readonly #settings: HubSettings['mqtt']
  readonly #ingest: Pick<Ingest, 'accept'>
  readonly #log: Log
  readonly #isReadableTopic: (filter: string) => boolean
  readonly #isPassedTopic: (topic: string) => boolean
  readonly #gate: Gate
  readonly #clock: Clock
  readonly #tls: BrokerOptions['tls']
  /** Whom connections were taken for. A will is still asked for when its connection is gone. */
  readonly #callers = new WeakMap<Client, Caller>()
  /** Clients whose connection stands, from the moment that they were let in. */
  readonly #admitted = new Set<Client>()
  readonly #connections: Connections
  /** Messages being stored. */
  readonly #storing = new Set<Promise<void>>()
  #aedes: Aedes | undefined
  #server: Server | undefined

  constructor({
    settings,
    ingest,
    log,
    gate = demoGate(),
    clock = systemClock,
    tls,
    isReadableTopic,
    isPassedTopic,
  }: BrokerOptions) {
    this.#isReadableTopic = isReadableTopic ?? (() => false)
    this.#isPassedTopic = isPassedTopic ?? (() => false)
    this.#settings = settings
    this.#ingest = ingest
    this.#log = log
    this.#gate = gate
    this.#clock = clock
    this.#tls = tls
    this.#connections = new Connections({ maxPerAddress: settings.maxConnectionsPerAddress, log })
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
    const { host, maxConnections } = this.#settings
    const requests = new WeakMap<Client, Omit<ConnectRequest, 'username' | 'password'>>()
    const aedes = await Aedes.createBroker({
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Unlimited: a hundred subscribers that do not read would hold up the messages to all others.
      concurrency: 0,
      maxClientsIdLength: 128,
      preConnect: (client, { clientId, clean = false, will, username }, done) => {
        const { remote } = client.conn as GuardedSocket
        try {
          requireWellFormed(clientId, will?.topic, username)
        } catch (error) {
          return done(error as Error, false)
        }
        requests.set(client, { clientId, clean, willTopic: will?.topic, remote })
        done(null, true)
      },
      // Only here does a refusal reach the client as a CONNACK with its code.
      authenticate: (client, username, password, done) => {
        try {
          this.#admit(client, { ...requests.get(client)!, username, password: password?.toString() })
          done(null, true)
        } catch (error) {
          done(error as AuthenticateError, false)
        }
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
      authorizeSubscribe: (client, subscription, done) => {
        try {
          requireWellFormed(subscription.topic)
        } catch (error) {
          return done(error as Error)
        }
        const caller = this.#callers.get(client)
        const allowed =
          caller !== undefined &&
          (maySubscribe(caller, subscription.topic) || this.#isReadableTopic(subscription.topic))
        if (!allowed) this.#gate.stats.subscriptionsRefused++
        // Without a subscription the answer is 0x80, failure (MQTT 3.1.1, 3.9.3).
        done(null, allowed ? subscription : null)
      },
    })
    markRedelivery(aedes)
    deliverOvertaken(aedes)
    for (const event of ['clientError', 'connectionError'] as const) {
      aedes.on(event, (client: Client | null, err: Error) => {
        this.#log.debug({ client: client?.id, err }, 'mqtt connection failed')
      })
    }
    // Without listeners, an error of either emitter would end the process.
    const failed = (err: Error) => this.#log.error({ err }, 'mqtt broker error')
    ;(aedes as EventEmitter).on('error', failed)
    const server = this.#createServer(host, aedes)
    server.maxConnections = maxConnections
    server.on('drop', () => this.stats.refused++)
    try {
      await listen(server, this.#settings)
    } catch (error) {
      await closeAedes(aedes)
      throw error
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
    this.#connections.destroy()
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

  /** Closes the connections of those who would not be let in any more. Returns how many. */
  expel(): number {
    const unwelcome = [...this.#admitted].filter(client => !this.#gate.keeps(this.#callers.get(client)!))
    for (const client of unwelcome) {
      this.#log.warn({ client: client.id }, 'mqtt connection ended: no longer admitted')
      client.close()
    }
    return unwelcome.length
  }

  #createServer(host: string, aedes: Aedes): Server {
    const accept = (socket: Socket) => this.#accept(socket, aedes)
    const context = this.#tls?.contextFor(host)
    // Sockets as they come, before any handshake.
    const track = (socket: Socket) => {
      if (this.#gate.blocks(socket.remoteAddress)) socket.destroy()
      else if (!this.#connections.add(socket)) {
        this.stats.addressRefused++
        socket.destroy()
      }
    }
    if (context === undefined) {
      return createServer(socket => {
        track(socket)
        if (!socket.destroyed) accept(socket)
      })
    }
    const server: SecureServer = createSecureServer(
      { ...context, handshakeTimeout: CONNECT_TIMEOUT_MS },
      accept,
    )
    server.on('connection', track)
    server.on('tlsClientError', (err, socket) => {
      this.stats.tlsFailures++
      this.#log.debug({ remote: socket.remoteAddress, err }, 'tls handshake failed')
    })
    const detach = this.#tls!.attach(server)
    server.on('close', detach)
    return server
  }

  /** @throws Refusal */
  #admit(client: Client, request: ConnectRequest): void {
    this.#callers.set(client, this.#gate.admit(request))
    if (client.conn.destroyed) return
    this.#admitted.add(client)
    client.conn.once('close', () => this.#admitted.delete(client))
  }

  #accept(socket: Socket, aedes: Aedes): void {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    const remote = socket.remoteAddress
    const logged = new Set<ConnectionLimit>()
    const onLimit = (limit: ConnectionLimit) => {
      this.stats[limit]++
      if (!logged.has(limit)) this.#log.warn({ remote, limit }, 'mqtt limit reached')
      logged.add(limit)
    }
    aedes.handle(new GuardedSocket({ socket, limits: this.#settings, clock: this.#clock, onLimit }))
  }

  /**
   * A refusal closes the connection, the only answer that MQTT 3.1.1 has (3.3.5). Wills come this way too. What is of
   * the protocol is stored; anything else, where it is allowed at all, is passed on.
   */
  async #authorizePublish(client: Client | null, packet: PublishPacket): Promise<void> {
    const { topic, payload } = packet
    requireWellFormed(topic)
    if (this.#isPassedTopic(topic)) {
      packet.retain = false
      return
    }
    const caller = client === null ? undefined : this.#callers.get(client)
    if (caller === undefined || !mayPublish(caller, topic)) {
      this.#gate.stats.publishesRefused++
      this.#log.warn({ client: client?.id, topic: topic.slice(0, 300) }, 'publish refused')
      throw fault('TOPIC_REFUSED', `${client?.id ?? 'nobody'} may not publish to ${topic.slice(0, 300)}`)
    }
    if (!mayRetain(caller, topic)) packet.retain = false
    if (parseUplinkTopic(topic) === undefined) return
    await this.#ingest.accept(topic, typeof payload === 'string' ? Buffer.from(payload) : payload)
  }
}

async function closeAedes(aedes: Aedes): Promise<void> {
  if (!aedes.closed) await new Promise<void>(done => aedes.close(done))
}
