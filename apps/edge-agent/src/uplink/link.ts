import { type Backoff, type Clock, fault, type Log, messageOf } from '@sightline/core'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'

export interface LinkSettings {
  readonly url: string
  readonly clientId: string
  readonly keepaliveSeconds: number
  readonly connectTimeoutSeconds: number
  /** Topics to subscribe to with QoS 1. */
  readonly subscriptions: readonly string[]
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

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get up(): boolean {
    return this.#client !== undefined
  }

  /** Begins to connect; returns at once. */
  start(handlers: LinkHandlers): void {
    this.#running ??= this.#run(handlers)
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

  /** Resolves at the broker's PUBACK (QoS 1) or when written (QoS 0). Rejects when not connected; nothing is queued. */
  async publish({ topic, payload, qos, retain }: Message): Promise<void> {
    const client = this.#client
    if (!client?.connected) throw fault('BROKER_UNREACHABLE', 'not connected to the broker')
    await client.publishAsync(topic, Buffer.from(payload), { qos, retain })
  }

  async #run(handlers: LinkHandlers): Promise<void> {
    const { signal } = this.#stopping
    const { backoff, clock, log } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonic()
      const reason = await this.#connection(handlers)
      if (signal.aborted) return
      if (clock.monotonic() - startedMs > STABLE_MS) attempt = 0
      const delayMs = backoff.delayMs(attempt)
      log.warn({ reason, delayMs }, 'no connection to the broker; trying again')
      await clock.sleep(delayMs, signal).catch(() => {})
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
        reason = messageOf(error) || (error as NodeJS.ErrnoException).code || reason
      })
      client.on('message', (topic, payload) => handlers.onMessage(topic, payload))
      client.on('connect', () => {
        client
          .subscribeAsync([...settings.subscriptions], { qos: 1 })
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
        if (wasUp) handlers.onDown()
        resolve(reason)
      })
    })
  }

  #clientOptions(will: Message): IClientOptions {
    const { clientId, keepaliveSeconds, connectTimeoutSeconds } = this.#options.settings
    return {
      clientId,
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
