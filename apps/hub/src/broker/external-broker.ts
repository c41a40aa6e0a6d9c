import { readFile } from 'node:fs/promises'
import {
  type Clock,
  exponentialBackoff,
  fault,
  type Log,
  messageOf,
  parseUplinkTopic,
  type UplinkType,
  uplinkFilter,
} from '@sightline/core'
import type { OutgoingMessage } from '../ingest/ack-sender.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { HubSettings } from '../settings.ts'
import { BrokerConnection, type ConnectionSettings, type MqttVersion } from './broker-connection.ts'
import { type BrokerLink, type BrokerStats, noBrokerStats } from './broker-link.ts'

/** Whose order does not matter, since every record has its number: they may come over several connections. */
const RECORDS: readonly UplinkType[] = ['emb', 'event']
const REPORTS: readonly UplinkType[] = ['state', 'stats', 'cfg/reported', 'reply']
/**
 * Connections that share the records, each storing one message at a time. Not a setting: a broker would go on serving the
 * sessions of those that are gone.
 */
const SHARERS = 4
const GROUP = 'sightline'
const BACKOFF = { baseMs: 1000, maxMs: 30_000 }
/** Rules, desired settings, sensors of Home Assistant. */
const MAX_RETAINED = 65_536

export interface ExternalBrokerOptions {
  readonly settings: HubSettings['broker'] & { readonly url: string }
  readonly ingest: Pick<Ingest, 'accept'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Somebody else's MQTT broker instead of the embedded one. The guarantee is the same, for it rests on the hub's ack; and
 * the sessions of its connections outlive them, so that what came meanwhile arrives when the hub is back. On MQTT 5 the
 * records are shared out over several connections. The retained messages of the hub are published anew with every
 * connection: the broker may have lost them.
 */
export class ExternalBroker implements BrokerLink {
  readonly name = 'external broker'
  readonly port = 0
  readonly stats: Readonly<BrokerStats> = noBrokerStats()
  readonly #options: ExternalBrokerOptions
  readonly #retained = new Map<string, OutgoingMessage>()
  #main: BrokerConnection | undefined
  #sharers: readonly BrokerConnection[] = []
  #stopped = false

  constructor(options: ExternalBrokerOptions) {
    this.#options = options
  }

  get clients(): number {
    return [this.#main, ...this.#sharers].filter(connection => connection?.up).length
  }

  /** Does not wait for the broker: without it the hub still searches. @throws CONFIG_INVALID */
  async start(): Promise<void> {
    const settings = await connectionSettings(this.#options.settings)
    this.#main = this.#connection(settings, {
      filters: version => (version === 5 ? REPORTS : [...REPORTS, ...RECORDS]).map(uplinkFilter),
      onUp: version => {
        if (version === 5) this.#share(settings)
        void this.#publishRetained()
      },
    })
    this.#main.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([this.#main, ...this.#sharers].map(connection => connection?.stop()))
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const main = this.#main
    if (main === undefined || this.#stopped) throw fault('NOT_READY', 'the hub has no broker yet')
    if (!message.retain) return main.publish(message)
    const { topic } = message
    if (!this.#retained.has(topic) && this.#retained.size >= MAX_RETAINED)
      throw fault('BROKER_UNREACHABLE', `more than ${MAX_RETAINED} retained messages`)
    this.#retained.set(topic, message)
    if (main.up) await this.#put(main, message)
  }

  /** The broker decides by itself who stays. */
  expel(): number {
    return 0
  }

  /** From the second connection on they are there already. */
  #share(settings: ConnectionSettings): void {
    if (this.#sharers.length > 0 || this.#stopped) return
    const filters = () => RECORDS.map(type => `$share/${GROUP}/${uplinkFilter(type)}`)
    this.#sharers = Array.from({ length: SHARERS }, (_, i) =>
      this.#connection(
        { ...settings, clientId: `${settings.clientId}-${i + 1}` },
        { filters, onUp: () => {} },
      ),
    )
    for (const sharer of this.#sharers) sharer.start()
  }

  #connection(
    settings: ConnectionSettings,
    own: { filters: (version: MqttVersion) => string[]; onUp: (version: MqttVersion) => void },
  ): BrokerConnection {
    const { ingest, clock, log } = this.#options
    return new BrokerConnection({
      settings,
      ...own,
      // The filters let names pass that the protocol does not.
      accept: async (topic, payload) => {
        if (parseUplinkTopic(topic) !== undefined) await ingest.accept(topic, payload)
      },
      backoff: exponentialBackoff(BACKOFF.baseMs, BACKOFF.maxMs),
      clock,
      log,
    })
  }

  async #publishRetained(): Promise<void> {
    const main = this.#main!
    try {
      for (const message of this.#retained.values()) await this.#put(main, message)
    } catch (err) {
      // The next connection begins anew.
      this.#options.log.warn({ err }, 'retained messages not published')
    }
  }

  /** What has been cleared needs no clearing again. */
  async #put(main: BrokerConnection, message: OutgoingMessage): Promise<void> {
    await main.publish(message)
    if (message.payload.byteLength === 0 && this.#retained.get(message.topic) === message)
      this.#retained.delete(message.topic)
  }
}

/** @throws CONFIG_INVALID */
async function connectionSettings(settings: ExternalBrokerOptions['settings']): Promise<ConnectionSettings> {
  const read = async (key: 'passwordFile' | 'caFile') => {
    const path = settings[key]
    if (path === undefined) return undefined
    try {
      return await readFile(path)
    } catch (cause) {
      throw fault('CONFIG_INVALID', `broker.${key}: ${messageOf(cause)}`, { cause })
    }
  }
  const { url, username, clientId } = settings
  const password = (await read('passwordFile'))?.toString().trim()
  return { url, clientId, username, password, ca: await read('caFile') }
}
