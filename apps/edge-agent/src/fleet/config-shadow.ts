import {
  type Clock,
  type DesiredConfig,
  fault,
  isFault,
  type Log,
  messageOf,
  type ReportedConfig,
  redactText,
  settingsHash,
} from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { SavedDocument } from '../saved-document.ts'
import { type DeviceSettings, reportedSettings, withRemote } from './remote-settings.ts'

const Held = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  hash: Type.String(),
  settings: Type.Record(Type.String(), Type.Unknown()),
})
type Held = Static<typeof Held>

export const SavedConfig = Type.Object({
  v: Type.Literal(1),
  /** The last one that the device has lived with. */
  good: Type.Union([Held, Type.Null()]),
  /** In force, and not proven yet; with the number of times that the agent began with it. */
  trial: Type.Union([Type.Object({ desired: Held, starts: Type.Integer({ minimum: 0 }) }), Type.Null()]),
  rejected: Type.Union([
    Type.Object({ version: Type.Integer({ minimum: 1 }), hash: Type.String(), error: Type.String() }),
    Type.Null(),
  ]),
})
export type SavedConfig = Static<typeof SavedConfig>

/** A power cut during a trial looks like a crash: the first one is forgiven. */
const MAX_STARTS = 2
const MAX_ERROR_CHARS = 2000

export interface ConfigShadowOptions {
  readonly file: SavedDocument<typeof SavedConfig>
  /** From the device's own file, environment and credential. */
  readonly own: DeviceSettings
  readonly clock: Clock
  readonly log: Log
}

/**
 * The device's side of its configuration: what the hub desires, what is in force, and why the one is not the other.
 * Everything is on disk before it is in force, so that a device starts without its hub as it ran with it.
 */
export class ConfigShadow {
  readonly #options: ConfigShadowOptions
  #saved: SavedConfig = { v: 1, good: null, trial: null, rejected: null }
  #settings: DeviceSettings

  constructor(options: ConfigShadowOptions) {
    this.#options = options
    this.#settings = options.own
  }

  /** Takes up what was saved. A trial that the agent did not survive is rejected here. */
  async load(): Promise<void> {
    this.#saved = (await this.#options.file.read()) ?? this.#saved
    const { trial } = this.#saved
    if (trial !== null) {
      if (trial.starts >= MAX_STARTS) {
        const text = `the agent stopped ${trial.starts} times before it had run a minute with it`
        await this.reject(fault('CONFIG_ROLLED_BACK', text))
      } else await this.#save({ trial: { ...trial, starts: trial.starts + 1 } })
    }
    this.#settle()
  }

  /** In force. */
  get settings(): DeviceSettings {
    return this.#settings
  }

  /** Desired version in force; 0: the device's own settings alone. */
  get version(): number {
    return this.#inForce?.version ?? 0
  }

  get onTrial(): boolean {
    return this.#saved.trial !== null
  }

  get report(): ReportedConfig {
    const { rejected } = this.#saved
    const held = this.#inForce
    const answered = rejected ?? held
    return {
      v: 1,
      version: answered?.version ?? 0,
      hash: answered?.hash ?? null,
      status: rejected !== null ? 'rejected' : held === null ? 'own' : 'applied',
      ...(rejected === null ? {} : { error: rejected.error }),
      inForce: this.version,
      at: this.#options.clock.now(),
      settings: reportedSettings(this.#settings),
    }
  }

  /** Whether this very document is in force or was rejected: a retained message comes again with every connection. */
  answered({ version, hash }: DesiredConfig): boolean {
    const answer = this.#saved.rejected ?? this.#inForce
    return answer?.version === version && answer.hash === hash
  }

  /**
   * Puts a document on trial: it is in force, but the last good one comes back unless `confirm` follows. False when it
   * cannot even be tried: it is rejected, and what was in force still is.
   * @throws STORE_FAILED; nothing has then changed
   */
  async begin({ version, hash, settings }: DesiredConfig): Promise<boolean> {
    const desired = { version, hash, settings }
    try {
      if (settingsHash(settings) !== hash)
        throw fault('PAYLOAD_INVALID', 'the hash is not that of the settings')
      withRemote(this.#options.own, settings)
    } catch (error) {
      await this.reject(error, desired)
      return false
    }
    const next = { ...this.#saved, trial: { desired, starts: 1 }, rejected: null }
    await this.#options.file.write(next)
    this.#saved = next
    this.#settle()
    return true
  }

  /** The device has lived with it. */
  async confirm(): Promise<void> {
    const { trial } = this.#saved
    if (trial !== null) await this.#save({ good: trial.desired, trial: null })
  }

  /** A clean end is no failure: the trial goes on with the next start. */
  async pause(): Promise<void> {
    const { trial } = this.#saved
    if (trial !== null) await this.#save({ trial: { ...trial, starts: 0 } })
  }

  /** The last good configuration is in force again, and the hub hears why. */
  async reject(error: unknown, desired = this.#saved.trial?.desired): Promise<void> {
    const text = isFault(error) ? `${error.code}: ${error.message}` : messageOf(error)
    const reason = redactText(text).slice(0, MAX_ERROR_CHARS)
    const rejected =
      desired === undefined ? null : { version: desired.version, hash: desired.hash, error: reason }
    const trial = this.#saved.trial?.desired === desired ? null : this.#saved.trial
    await this.#save({ rejected, trial })
    this.#settle()
    this.#options.log.warn(
      { version: desired?.version, reason, inForce: this.version },
      'configuration rejected',
    )
  }

  get #inForce(): Held | null {
    return this.#saved.trial?.desired ?? this.#saved.good
  }

  #settle(): void {
    const { own, log } = this.#options
    try {
      this.#settings = this.#inForce === null ? own : withRemote(own, this.#inForce.settings)
    } catch (err) {
      // The device's own settings have changed since, or its program has.
      log.error({ err, version: this.version }, 'saved configuration no longer fits; own settings alone')
      this.#settings = own
    }
  }

  /** A full disk must keep no agent from starting, nor from going back. */
  async #save(change: Partial<SavedConfig>): Promise<void> {
    this.#saved = { ...this.#saved, ...change }
    await this.#options.file.write(this.#saved).catch(err => this.#options.log.error({ err }, 'not saved'))
  }
}
