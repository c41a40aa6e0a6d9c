import type { SecureContextOptions, SecureVersion } from 'node:tls'
import { type Clock, type Log, messageOf, type Service } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import { speaksTls } from './exposure.ts'
import {
  type Authority,
  fingerprintOf,
  readAuthority,
  readTlsMaterial,
  type TlsMaterial,
  tlsPaths,
} from './tls-files.ts'

/** RFC 8996 retires what is older. */
const MIN_VERSION: SecureVersion = 'TLSv1.2'
const LOOK_INTERVAL_MS = 10_000
const REMIND_INTERVAL_MS = 86_400_000
const WARN_BEFORE_MS = 30 * 86_400_000

/** What a server needs to change its certificate without dropping anybody. */
export interface SecureServer {
  setSecureContext(options: SecureContextOptions): void
}

export interface TlsKeeperOptions {
  readonly settings: HubSettings
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Log
}

/** Holds the certificate of the listeners and hands them a new one when its files change. */
export class TlsKeeper implements Service {
  readonly name = 'tls'
  readonly #options: TlsKeeperOptions
  readonly #stopping = new AbortController()
  readonly #servers = new Set<SecureServer>()
  #material: TlsMaterial | undefined
  #authority: Authority | null = null
  #watching: Promise<void> | undefined
  #remindedAt = Number.NEGATIVE_INFINITY
  #complaint = ''

  constructor(options: TlsKeeperOptions) {
    this.#options = options
  }

  /** @throws TLS_MISSING, TLS_INVALID */
  async start(): Promise<void> {
    const { tls, http, mqtt } = this.#options.settings
    if (tls.terminated && tls.caFile !== undefined) this.#authority = await readAuthority(tls.caFile)
    if (!speaksTls(tls, http.host) && !speaksTls(tls, mqtt.host)) return
    this.#adopt(await this.#read())
    this.#watching = this.#watch()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }

  /** For the listener on `host`; undefined when it speaks plain. */
  contextFor(host: string): (SecureContextOptions & { minVersion: SecureVersion }) | undefined {
    if (this.#material === undefined || !speaksTls(this.#options.settings.tls, host)) return undefined
    return context(this.#material)
  }

  /** A proxy in front does TLS. */
  get terminated(): boolean {
    return this.#options.settings.tls.terminated
  }

  /** From now on `server` is given every new certificate. Returns what ends that. */
  attach(server: SecureServer): () => void {
    this.#servers.add(server)
    return () => this.#servers.delete(server)
  }

  /** Reads the files again. What does not serve leaves things as they are, and is logged. True when something changed. */
  async reload(): Promise<boolean> {
    if (this.#material === undefined) return false
    try {
      const material = await this.#read()
      this.#complaint = ''
      const { cert, key } = this.#material
      if (material.cert === cert && material.key === key) return false
      for (const server of this.#servers) server.setSecureContext(context(material))
      this.#adopt(material)
      return true
    } catch (err) {
      // Every ten seconds the same would drown the log.
      if (messageOf(err) !== this.#complaint) this.#options.log.error({ err }, 'certificate not reloaded')
      this.#complaint = messageOf(err)
      return false
    }
  }

  /** Authority that devices are to trust, PEM; null when it is a public one, or nothing speaks TLS. */
  ca(): string | null {
    return this.#authority?.pem ?? null
  }

  caSha256(): string | undefined {
    return this.#authority?.sha256
  }

  /** End of the certificate's validity, milliseconds since the epoch; undefined without TLS. */
  get notAfter(): number | undefined {
    return this.#material === undefined ? undefined : Date.parse(this.#material.leaf.validTo)
  }

  #read(): Promise<TlsMaterial> {
    const { settings, dataDir } = this.#options
    return readTlsMaterial(tlsPaths(settings.tls, dataDir))
  }

  #adopt(material: TlsMaterial): void {
    this.#material = material
    this.#authority = material.authority
    const { leaf } = material
    this.#options.log.info({ sha256: fingerprintOf(leaf), validTo: leaf.validTo }, 'certificate in use')
    this.#remindedAt = Number.NEGATIVE_INFINITY
    this.#remind()
  }

  #remind(): void {
    const { clock, log } = this.#options
    if (this.notAfter === undefined || clock.monotonic() - this.#remindedAt < REMIND_INTERVAL_MS) return
    this.#remindedAt = clock.monotonic()
    const leftMs = this.notAfter - clock.now()
    const days = Math.floor(leftMs / 86_400_000)
    if (leftMs <= 0) log.error({ code: 'TLS_INVALID', days }, 'certificate has expired: clients refuse it')
    else if (leftMs < WARN_BEFORE_MS) log.warn({ days }, 'certificate expires soon')
  }

  /** By looking, for links that are switched (as Kubernetes does with secrets) escape file events. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => {})
      if (signal.aborted) return
      await this.reload()
      this.#remind()
    }
  }
}

function context({ cert, key }: TlsMaterial) {
  return { cert, key, minVersion: MIN_VERSION }
}
