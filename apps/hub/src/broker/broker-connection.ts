import { Socket } from 'node:net'
import { type Backoff, type Clock, fault, type Log, messageOf } from '@sightline/core'
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import type { OutgoingMessage } from '../ingest/ack-sender.ts'

export type MqttVersion = 4 | 5

export interface ConnectionSettings {
  readonly url: string
  readonly clientId: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Authority to trust, PEM. */
  readonly ca?: Buffer | undefined
}

export interface ConnectionOptions {
  readonly settings: ConnectionSettings
  /** Filters to subscribe to with QoS 1. */
  readonly filters: (version: MqttVersion) => readonly string[]
  /** Rejects when the message is to come again. */
  readonly accept: (topic: string, payload: Uint8Array) => Promise<void>
  readonly onUp: (version: MqttVersion) => void
  readonly backoff: Backoff
  readonly clock: Clock
  readonly log: Log
}

/** A connection that lasted for so long was good: the next attempt after it waits the shortest time. */
const STABLE_MS = 30_000
const CONNECT_TIMEOUT_MS = 15_000
const KEEP_ALIVE_SECONDS = 30
const GOODBYE_MS = 1000
/** How long a broker keeps what came while the hub was away. Records stay on their devices until the hub has them. */
const SESSION_SECONDS = 7 * 24 * 3600
/** Messages that a MQTT 5 broker may send ahead of their PUBACK. */
const RECEIVE_MAXIMUM = 64
/** "Unacceptable protocol version" of MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const VERSION_REFUSED: readonly unknown[] = [1, 132]

/**
 * A subscriber with a session that outlives it: what is not confirmed comes again (MQTT-4.4.0-1). A message is confirmed
 * when `accept` has resolved, one after the other. When it rejects, the connection is closed, because a broker sends a
 * message again on a new one only. MQTT 5 is tried first, then 3.1.1.
 */
export class BrokerConnection {
  readonly #options: ConnectionOptions
  readonly #stopping = new AbortController()
  #version: MqttVersion = 5
  #client: MqttClient | undefined
  /** Rejects with the end of the connection: mqtt.js leaves what it was publishing unanswered. */
  #lost: Promise<never> | undefined
  #accepting: Promise<void> | undefined
  #leave = () => {}
  #running: Promise<void> | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  get up(): boolean {
    return this.#client !== undefined
  }

  /** Begins to connect; returns at once. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Takes no more messages, confirms the one in hand when it is stored, and says goodbye. The session stays. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#accepting
    this.#leave()
    await this.#running
  }

  /** Resolves at the PUBACK. @throws BROKER_UNREACHABLE */
  async publish({ topic, payload, qos, retain }: OutgoingMessage): Promise<void> {
    if (this.#client === undefined) throw unreachable('not connected to the broker')
    try {
      const sent = this.#client.publishAsync(topic, Buffer.from(payload), { qos, retain })
      await Promise.race([sent, this.#lost])
    } catch (cause) {
      throw unreachable(`not published: ${messageOf(cause)}`, cause)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { backoff, clock, log, settings } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonic()
      const reason = await this.#connection()
      if (signal.aborted) return
      if (clock.monotonic() - startedMs > STABLE_MS) attempt = 0
      const delayMs = backoff.delayMs(attempt)
      log.warn({ clientId: settings.clientId, reason, delayMs }, 'no connection to the external broker')
      await clock.sleep(delayMs, signal).catch(() => {})
    }
  }

  /** Lives through one connection, a mqtt.js client of its own; resolves with the reason for its end. */
  #connection(): Promise<string> {
    const { settings, filters, onUp, log } = this.#options
    const version = this.#version
    return new Promise(resolve => {
      const client = connect(settings.url, this.#clientOptions(version))
      let error: Error | undefined
      let accepted = false
      let lose = (_: Error) => {}
      const lost = new Promise<never>((_, reject) => {
        lose = reject
      })
      lost.catch(() => {})
      const give = (reason: Error) => {
        error ??= reason
        client.end(true)
      }
      // Before the broker can send anything: what a session kept comes right after CONNACK.
      client.handleMessage = (packet, done) => this.#take(packet, done, give)
      this.#leave = () => {
        client.end(!client.connected)
        const kill = setTimeout(() => client.end(true), GOODBYE_MS)
        client.once('close', () => clearTimeout(kill))
      }
      if (this.#stopping.signal.aborted) this.#leave()
      client.on('error', cause => {
        error ??= cause
      })
      client.on('connect', () => {
        accepted = true
        // Otherwise a small packet waits for the receipt of the one before it: 40 ms (Nagle's algorithm, RFC 896).
        if (client.stream instanceof Socket) client.stream.setNoDelay(true)
        client
          .subscribeAsync([...filters(version)], { qos: 1 })
          .then(grants => {
            const refused = grants.find(({ qos }) => qos >= 128)
            if (refused !== undefined) throw unreachable(`subscription refused: ${refused.topic}`)
            this.#client = client
            this.#lost = lost
            log.info({ clientId: settings.clientId, mqtt: version }, 'connected to the external broker')
            onUp(version)
          })
          .catch(give)
      })
      client.on('close', () => {
        this.#client = undefined
        lose(error ?? unreachable('the connection was closed'))
        client.removeAllListeners()
        // What mqtt.js still says of a dead connection is no news.
        client.on('error', () => {})
        client.end(true)
        if (!accepted && wrongVersion(error)) this.#version = version === 5 ? 4 : 5
        resolve(error === undefined ? 'the connection was closed' : messageOf(error) || codeOf(error))
      })
    })
  }

  #take(packet: IPublishPacket, done: (error?: Error) => void, give: (reason: Error) => void): void {
    const { topic, payload, qos } = packet
    // With an error, mqtt.js sends no PUBACK.
    if (this.#stopping.signal.aborted) {
      done(unreachable('the hub is stopping'))
      return
    }
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    this.#accepting = this.#options.accept(topic, bytes).then(
      () => done(),
      (cause: Error) => {
        done(cause)
        // Who published with QoS 0 has asked for no more than one attempt.
        if (qos > 0) give(cause)
      },
    )
  }

  #clientOptions(protocolVersion: MqttVersion): IClientOptions {
    const { clientId, username, password, ca } = this.#options.settings
    return {
      clientId,
      protocolVersion,
      clean: false,
      ...(protocolVersion === 5
        ? { properties: { sessionExpiryInterval: SESSION_SECONDS, receiveMaximum: RECEIVE_MAXIMUM } }
        : {}),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: true,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      keepalive: KEEP_ALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
    }
  }
}

/** Told so, or hung up on, or answered in a way that mqtt.js could not read; no error of the network has no code. */
function wrongVersion(error: Error | undefined): boolean {
  const code = error === undefined ? undefined : (error as NodeJS.ErrnoException).code
  return code === undefined || VERSION_REFUSED.includes(code)
}

function codeOf(error: Error): string {
  return String((error as NodeJS.ErrnoException).code ?? error.name)
}

function unreachable(message: string, cause?: unknown) {
  return fault('BROKER_UNREACHABLE', message, { cause })
}
