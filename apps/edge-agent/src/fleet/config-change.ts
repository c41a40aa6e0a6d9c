import {
  type Clock,
  canonicalJson,
  DesiredConfig,
  decodeJson,
  encodeJson,
  type Log,
  messageOf,
} from '@sightline/core'
import type { ModelSlots } from '../model-slots.ts'
import type { ConfigShadow } from './config-shadow.ts'
import type { Lives } from './lives.ts'
import type { ModelUpdate } from './model-update.ts'
import type { DeviceSettings } from './remote-settings.ts'

/** A configuration under which the agent does not start in this time is taken back. */
export const START_MS = 60_000
/** One that it has lived with for so long is good. */
const CONFIRM_MS = 60_000
const PROVE_MS = 60_000
/** A report that was not acknowledged is sent again after this. */
const TELL_AGAIN_MS = 10_000

export interface ConfigChangeOptions {
  readonly shadow: ConfigShadow
  readonly lives: Lives
  readonly models: ModelSlots
  readonly update: ModelUpdate
  readonly clock: Clock
  readonly log: Log
}

/** Brings a running device to what its hub desires, and back when that does not do. */
export class ConfigChange {
  readonly #options: ConfigChangeOptions
  readonly #stopping = new AbortController()
  #confirming = new AbortController()
  #telling = new AbortController()

  constructor(options: ConfigChangeOptions) {
    this.#options = options
  }

  /** A document as it came. Never throws. */
  async offer(payload: Uint8Array): Promise<void> {
    const { lives, log } = this.#options
    // A cleared retained message (MQTT 3.1.1, 3.3.1.3) takes no settings away.
    if (payload.length === 0) return
    let desired: DesiredConfig
    try {
      desired = decodeJson(DesiredConfig, payload)
    } catch (err) {
      log.warn({ err }, 'desired configuration not readable')
      return
    }
    await lives
      .exclusively(() => this.#take(desired))
      .catch(err => log.error({ err }, 'configuration not changed'))
  }

  /**
   * Tells the hub what is in force, again until it has it or the connection ends: the next one begins with it. Not waited
   * for: a hub that is slow to take a report must not hold up the next change.
   */
  tell(): void {
    this.#options.lives.running?.stateChanged()
    this.#telling.abort()
    this.#telling = new AbortController()
    void this.#tellUntilTold(this.#telling)
  }

  async #tellUntilTold(telling: AbortController): Promise<void> {
    const { shadow, lives, clock, log } = this.#options
    const signal = AbortSignal.any([telling.signal, this.#stopping.signal])
    while (!signal.aborted && lives.running?.online) {
      const told = lives.running.tell('cfg/reported', encodeJson(shadow.report)).then(
        () => true,
        error => {
          log.debug({ reason: messageOf(error) }, 'configuration not reported yet')
          return false
        },
      )
      const late = clock.sleep(TELL_AGAIN_MS, signal).then(
        () => false,
        () => false,
      )
      if (await Promise.race([told, late])) return telling.abort()
      await late
    }
  }

  /** The configuration in force counts as good when the agent still runs in a minute. */
  confirmLater(): void {
    const { clock, shadow, lives, log } = this.#options
    this.#confirming.abort()
    this.#confirming = new AbortController()
    if (!shadow.onTrial) return
    const signal = AbortSignal.any([this.#confirming.signal, this.#stopping.signal])
    clock
      .sleep(CONFIRM_MS, signal)
      .then(() => lives.exclusively(() => shadow.confirm()))
      .catch(err => {
        if (!signal.aborted) log.error({ err }, 'configuration not confirmed')
      })
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #take(desired: DesiredConfig): Promise<void> {
    const { shadow, log } = this.#options
    if (this.#stopping.signal.aborted) return
    if (!shadow.answered(desired) && (await shadow.begin(desired))) {
      try {
        await this.#apply(shadow.settings)
        log.info({ version: desired.version }, 'configuration applied')
      } catch (error) {
        // Cut short, it is still on trial at the next start.
        if (this.#options.lives.stopped) return
        await this.#back(error)
      }
      this.confirmLater()
    }
    this.tell()
  }

  async #apply(settings: DeviceSettings): Promise<void> {
    const { lives, models, update } = this.#options
    await update.prepare(settings, this.#stopping.signal)
    const before = lives.settings
    if (before !== undefined && lives.running !== undefined && appliesLive(before, settings)) {
      await lives.apply(settings)
      return
    }
    await lives.begin(settings, START_MS)
    await lives.prove(PROVE_MS)
    await models.commit()
  }

  async #back(error: unknown): Promise<void> {
    const { shadow, lives, models } = this.#options
    await shadow.reject(error)
    await models.rollBack()
    const { running, settings } = lives
    if (running !== undefined && settings !== undefined && appliesLive(settings, shadow.settings))
      await lives.apply(shadow.settings)
    else await lives.begin(shadow.settings, START_MS)
  }
}

/** A model lives in threads and native memory of its own: another one, or another provider, takes a new agent. */
export function appliesLive(before: DeviceSettings, after: DeviceSettings): boolean {
  return canonicalJson(before.model) === canonicalJson(after.model)
}
