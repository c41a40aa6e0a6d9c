import {
  type Address,
  type Clock,
  type DesiredConfig,
  encodeJson,
  fault,
  type Log,
  layered,
  nodeTopic,
  type ReportedConfig,
  type Service,
  settingsHash,
  unredacted,
} from '@sightline/core'
import type { Publish } from '../ingest/ack-sender.ts'
import type { ConfigDocument, FleetTables, ReportedRow } from './fleet-tables.ts'
import type { DriftState } from './health.ts'

const MAX_HISTORY = 50
/** A retained message is kept in the broker's memory, one for every device. */
const MAX_SETTINGS_BYTES = 128 * 1024

/** Whom settings are for: one device, or, without `node`, all devices of a site. */
export interface ConfigTarget {
  readonly site: string
  readonly node?: string | undefined
}

export interface ConfigChange {
  readonly settings: Readonly<Record<string, unknown>>
  /** The version that the change was made from; undefined: whatever there is is replaced. */
  readonly expectedVersion?: number | undefined
  readonly actor: string
}

export interface Drift {
  readonly state: DriftState
  /** When the hub last decided something, hub time; null when nothing is desired. */
  readonly since: number | null
  readonly detail: string | null
}

export interface ShadowOptions {
  readonly tables: FleetTables
  readonly publish: Publish
  readonly clock: Clock
  readonly log: Log
}

/**
 * What is desired of each device, and what it reports to be. A device gets its site's settings with its own laid over
 * them, as one document; whether it takes them is for the device to say.
 */
export class Shadow implements Service {
  readonly name = 'shadow'
  readonly #options: ShadowOptions
  readonly #listeners = new Set<(address: Address) => void>()
  /** Changes happen one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ShadowOptions) {
    this.#options = options
  }

  /** Publishes what is desired: retained messages live in the broker's memory. */
  async start(): Promise<void> {
    for (const key of this.#options.tables.issued.getKeys()) await this.#publish(addressOf(key))
  }

  async stop(): Promise<void> {
    await this.#last
  }

  /** Hears of every report and every change. Returns what ends the subscription. */
  onChange(listener: (address: Address) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  document(target: ConfigTarget): ConfigDocument | undefined {
    return this.#options.tables.documents.get(keyOf(target))
  }

  /** Newest first. */
  history(target: ConfigTarget): ConfigDocument[] {
    const key = keyOf(target)
    const start: [string, number] = [key, Number.MAX_SAFE_INTEGER]
    const end: [string, number] = [key, 0]
    return [...this.#options.tables.history.getRange({ start, end, reverse: true })].map(({ value }) => value)
  }

  /** What was sent to the device. */
  issued(address: Address): DesiredConfig | undefined {
    return this.#options.tables.issued.get(keyOf(address))
  }

  reported(address: Address): ReportedRow | undefined {
    return this.#options.tables.reported.get(keyOf(address))
  }

  drift(address: Address): Drift {
    return driftOf(this.issued(address), this.reported(address)?.reported)
  }

  /**
   * Replaces settings, of a device or of a site, and sends what follows from it. Texts that are redacted as they were
   * shown stay as they were.
   * @throws CONFIG_CONFLICT, API_TOO_LARGE, STORE_FAILED; nothing has then changed
   */
  put(target: ConfigTarget, change: ConfigChange): Promise<ConfigDocument> {
    return this.#inTurn(() => this.#replace(target, change))
  }

  /** A device that has just reported for the first time gets what its site has. */
  greet(address: Address): Promise<void> {
    if (this.issued(address) !== undefined || this.document({ site: address.site }) === undefined)
      return Promise.resolve()
    return this.#inTurn(() => this.#issue(address))
  }

  /** What a device says of itself. @throws STORE_FAILED */
  async takeReported(address: Address, reported: ReportedConfig): Promise<void> {
    const { tables, clock } = this.#options
    const row = { reported, receivedAt: clock.now() }
    await tables.write(() => {
      tables.reported.put(keyOf(address), row)
    })
    this.#tell(address)
  }

  async #replace(target: ConfigTarget, change: ConfigChange): Promise<ConfigDocument> {
    const { tables, clock, log } = this.#options
    const { expectedVersion, actor } = change
    const key = keyOf(target)
    const known = tables.documents.get(key)
    const version = known?.version ?? 0
    if (expectedVersion !== undefined && expectedVersion !== version) {
      throw fault(
        'CONFIG_CONFLICT',
        `the configuration is at version ${version}, the change was made from ${expectedVersion}`,
        { details: { version } },
      )
    }
    const settings = unredacted(change.settings, known?.settings ?? {}) as Record<string, unknown>
    if (encodeJson(settings).byteLength > MAX_SETTINGS_BYTES)
      throw fault('API_TOO_LARGE', `settings may have ${MAX_SETTINGS_BYTES} bytes as JSON`)
    const document = { version: version + 1, settings, actor, at: clock.now() }
    await tables.write(() => {
      tables.documents.put(key, document)
      tables.history.put([key, document.version], document)
      tables.history.remove([key, document.version - MAX_HISTORY])
    })
    log.info({ ...target, version: document.version, actor }, 'configuration changed')
    if (target.node === undefined) {
      for (const address of this.#devicesOf(target.site)) await this.#issue(address)
    } else await this.#issue({ site: target.site, node: target.node })
    return document
  }

  /** Sends what now follows for a device, when it is not what it was. */
  async #issue(address: Address): Promise<void> {
    const { tables, clock } = this.#options
    const site = this.document({ site: address.site })?.settings ?? {}
    const settings = layered(site, this.document(address)?.settings ?? {})
    const hash = settingsHash(settings)
    const known = this.issued(address)
    // What was rejected is worth another try when somebody asks for it anew.
    if (known?.hash === hash && this.drift(address).state !== 'rejected') return
    const version = (known?.version ?? 0) + 1
    const desired: DesiredConfig = { v: 1, version, hash, issuedAt: clock.now(), settings }
    await tables.write(() => {
      tables.issued.put(keyOf(address), desired)
    })
    await this.#publish(address)
    this.#tell(address)
  }

  /** All that were ever heard of here: those with settings of their own, and those that reported. */
  #devicesOf(site: string): Address[] {
    const { issued, reported } = this.#options.tables
    const range = { start: `${site}~`, end: `${site}~~` }
    const keys = new Set([...issued.getKeys(range), ...reported.getKeys(range)])
    return [...keys].sort().map(addressOf)
  }

  /** One that could not be sent goes out with the next change or start. */
  async #publish(address: Address): Promise<void> {
    const { publish, log } = this.#options
    const desired = this.issued(address)
    if (desired === undefined) return
    try {
      const topic = nodeTopic('cfg/desired', address)
      await publish({ topic, payload: encodeJson(desired), qos: 1, retain: true })
    } catch (err) {
      log.error({ err, ...address, version: desired.version }, 'configuration not published')
    }
  }

  #tell(address: Address): void {
    for (const listener of this.#listeners) listener(address)
  }

  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const change = this.#last.then(job)
    this.#last = change.catch(() => undefined)
    return change
  }
}

/** Whether a device is as it is desired to be, and if not, why not. */
export function driftOf(desired: DesiredConfig | undefined, reported: ReportedConfig | undefined): Drift {
  if (desired === undefined) return { state: 'none', since: null, detail: null }
  const since = desired.issuedAt
  if (reported === undefined) return { state: 'unknown', since, detail: 'the device has not reported yet' }
  const answered = reported.version === desired.version && reported.hash === desired.hash
  if (answered && reported.status === 'rejected')
    return { state: 'rejected', since, detail: reported.error ?? 'rejected' }
  if (answered && reported.inForce === desired.version) return { state: 'in-sync', since, detail: null }
  const detail = `version ${reported.inForce} is in force, ${desired.version} is desired`
  return { state: 'pending', since, detail }
}

/** Names hold no tilde, so no site's key is a device's. */
export function keyOf({ site, node }: ConfigTarget): string {
  return node === undefined ? site : `${site}~${node}`
}

function addressOf(key: string): Address {
  const [site = '', node = ''] = key.split('~')
  return { site, node }
}
