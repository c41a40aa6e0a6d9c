import { Socket } from 'node:net'
import { type Backoff, type Clock, ERRORS, fault, type Log, messageOf } from '@sightline/core'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'

export interface LinkSettings {
  readonly url: string
  readonly clientId: string
  readonly keepaliveSeconds: number
  readonly connectTimeoutSeconds: number
  /** Topics to subscribe to with QoS 1. */
  readonly subscriptions: readonly string[]
  /** Asked before every attempt, for credentials change while an agent runs. */
  readonly login?: () => BrokerLogin
}

export interface BrokerLogin {
  readonly username: string
  readonly password: string
  /** PEM of the authority that the broker's certificate must come from; undefined: the system's. */
  readonly ca?: string
}

export interface Message {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
}

export interface LinkHandlers {
  /** The retained message that the broker publishes if this connection breaks. */
  readonly will: () => Message
  /** Connected and subscribed. */
  readonly onUp: () => void
  readonly onDown: () => void
  /** The broker does not let this credential in. */
  readonly onRefused?: () => void
  readonly onMessage: (topic: string, payload: Uint8Array) => void
}

export interface LinkOptions {
  readonly settings: LinkSettings
  readonly backoff: Backoff
  readonly clock: Clock
  readonly log: Log
}

/** A connection that lasted for so long was good: the next attempt after it waits the shortest time. */
const STABLE_MS = 30_000
const MAX_GOODBYE_MS = 1000
/** CONNACK: bad user name or password, not authorized (MQTT 3.1.1, 3.2.2.3). */
const LOGIN_REFUSED: readonly unknown[] = [4, 5]

/**
 * A connection to the broker that comes back. Every attempt is a client of its own: mqtt.js keeps what was not
 * acknowledged in memory and would send it first after an outage, where the outbox is the queue and live goes first.
 */
export class Link {
  readonly #options: LinkOptions
  readonly #stopping = new AbortController()
  #client: MqttClient | undefined
  #running: Promise<void> | undefined
  #kill = () => {}
  #subscriptions: readonly string[]
  #hurry = new AbortController()
  #refused = false
  /** Ends what still waits for its PUBACK. */
  readonly #unacknowledged = new Set<() => void>()

  constructor(options: LinkOptions) {
    this.#options = options
    this.#subscriptions = options.settings.subscriptions
  }

  get up(): boolean {
    return this.#client !== undefined
  }

  /** Begins to connect; returns at once. */
  start(handlers: LinkHandlers): void {
    this.#running ??= this.#run(handlers)
  }

  /** Listens to these topics from now on, and to no others. */
  async resubscribe(topics: readonly string[]): Promise<void> {
    const gone = this.#subscriptions.filter(topic => !topics.includes(topic))
    const added = topics.filter(topic => !this.#subscriptions.includes(topic))
    this.#subscriptions = topics
    const client = this.#client
    if (client === undefined) return
    if (gone.length > 0) await client.unsubscribeAsync([...gone])
    if (added.length > 0) await client.subscribeAsync([...added], { qos: 1 })
  }

  /** Leaves, and comes back at once with the login as it then is. */
  reconnect(): void {
    this.#hurry.abort()
    void this.#client?.end(false)
  }

  /** Says goodbye to the broker, so that the will is not published. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const waiting = new AbortController()
    const late = this.#options.clock.sleep(MAX_GOODBYE_MS, waiting.signal)
    // A broker that does not take what was published would keep the connection open for ever.
    late.then(
      () => this.#kill(),
      () => {},
    )
    await this.#running
    waiting.abort()
  }

  /** Resolves at the broker's PUBACK (QoS 1) or when written (QoS 0). Rejects when not connected, or no longer; nothing is queued. */
  async publish({ topic, payload, qos, retain }: Message): Promise<void> {
    const client = this.#client
    if (!client?.connected) throw fault('BROKER_UNREACHABLE', 'not connected to the broker')
    await new Promise<void>((resolve, reject) => {
      // mqtt.js settles nothing of a connection that breaks while it waits to leave it.
      const lost = () =>
        reject(fault('BROKER_UNREACHABLE', 'the connection ended before the acknowledgement'))
      this.#unacknowledged.add(lost)
      client
        .publishAsync(topic, Buffer.from(payload), { qos, retain })
        .then(() => resolve(), reject)
        .finally(() => this.#unacknowledged.delete(lost))
    })
  }

  async #run(handlers: LinkHandlers): Promise<void> {
    const { signal } = this.#stopping
    const { backoff, clock, log } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonic()
      this.#refused = false
      const reason = await this.#connection(handlers)
      if (signal.aborted) return
      if (this.#refused) handlers.onRefused?.()
      if (this.#hurry.signal.aborted) {
        this.#hurry = new AbortController()
        attempt = -1
        continue
      }
      if (clock.monotonic() - startedMs > STABLE_MS) attempt = 0
      const delayMs = backoff.delayMs(attempt)
      const code = this.#refused ? 'CREDENTIAL_REFUSED' : 'BROKER_UNREACHABLE'
      log.warn(
        { code, reason, delayMs, remedy: ERRORS[code].remedy },
        'no connection to the broker; trying again',
      )
      await clock.sleep(delayMs, AbortSignal.any([signal, this.#hurry.signal])).catch(() => {})
      if (this.#hurry.signal.aborted) this.#hurry = new AbortController()
    }
  }

  /** Lives through one connection; resolves with the reason for its end. */
  #connection(handlers: LinkHandlers): Promise<string> {
    const { settings, log } = this.#options
    const { signal } = this.#stopping
    return new Promise(resolve => {
      const client = connect(settings.url, this.#clientOptions(handlers.will()))
      let reason = 'the connection was closed'
      const leave = () => void client.end(!client.connected)
      this.#kill = () => void client.end(true)
      signal.addEventListener('abort', leave, { once: true })
      client.on('error', error => {
        if (isLoginRefused(error)) this.#refused = true
        reason = messageOf(error) || (error as NodeJS.ErrnoException).code || reason
      })
      client.on('message', (topic, payload) => handlers.onMessage(topic, payload))
      client.on('connect', () => {
        // Otherwise a small packet waits for the receipt of the one before it: 40 ms (Nagle's algorithm, RFC 896).
        if (client.stream instanceof Socket) client.stream.setNoDelay(true)
        client
          .subscribeAsync([...this.#subscriptions], { qos: 1 })
          .then(() => {
            this.#client = client
            log.info({ clientId: settings.clientId }, 'connected to the broker')
            handlers.onUp()
          })
          .catch(error => {
            reason = `subscription refused: ${messageOf(error)}`
            client.end(true)
          })
      })
      client.on('close', () => {
        signal.removeEventListener('abort', leave)
        const wasUp = this.#client === client
        if (wasUp) this.#client = undefined
        client.removeAllListeners()
        // What mqtt.js still says of a dead connection is no news.
        client.on('error', () => {})
        client.end(true)
        for (const lost of this.#unacknowledged) lost()
        this.#unacknowledged.clear()
        if (wasUp) handlers.onDown()
        resolve(reason)
      })
    })
  }

  #clientOptions(will: Message): IClientOptions {
    const { clientId, keepaliveSeconds, connectTimeoutSeconds, login } = this.#options.settings
    return {
      clientId,
      ...login?.(),
      protocolVersion: 4,
      // Rules are retained and acks are repeated at birth: a queue kept for an absent device would only grow.
      clean: true,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      keepalive: keepaliveSeconds,
      connectTimeout: connectTimeoutSeconds * 1000,
      will: { ...will, payload: Buffer.from(will.payload) },
    }
  }
}

/** Whether the broker answered, and does not let this credential in. */
export function isLoginRefused(error: Error): boolean {
  return LOGIN_REFUSED.includes((error as { code?: unknown }).code)
}
