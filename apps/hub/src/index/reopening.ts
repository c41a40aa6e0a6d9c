import { type Clock, exponentialBackoff, fault, isFault, type Log } from '@sightline/core'

const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 60_000

export interface ReopeningOptions {
  readonly open: () => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** Opens what may be out of reach, again and again with growing pauses until it is open, and anew when it was lost. */
export class Reopening {
  readonly #options: ReopeningOptions
  readonly #backoff = exponentialBackoff(FIRST_DELAY_MS, MAX_DELAY_MS)
  readonly #ending = new AbortController()
  #away: unknown
  #attempts = 0
  #running: Promise<void> | undefined

  constructor(options: ReopeningOptions) {
    this.#options = options
  }

  /** One attempt; when it fails for want of a connection the others go on afterwards. */
  async start(): Promise<void> {
    try {
      await this.#options.open()
    } catch (error) {
      if (!isFault(error, 'INDEX_UNAVAILABLE')) throw error
      this.lost(error)
    }
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  /** @throws INDEX_UNAVAILABLE while it is not open */
  check(): void {
    if (this.#away === undefined) return
    const reason = isFault(this.#away) ? this.#away.message : 'not open'
    throw fault('INDEX_UNAVAILABLE', reason, { cause: this.#away })
  }

  lost(reason: unknown): void {
    this.#away = reason
    if (this.#ending.signal.aborted) return
    this.#options.log.warn({ err: reason }, 'index unavailable: frames are stored, and indexed later')
    this.#running ??= this.#retry().finally(() => {
      this.#running = undefined
    })
  }

  async #retry(): Promise<void> {
    const { open, clock, log } = this.#options
    const { signal } = this.#ending
    for (;;) {
      await clock.sleep(this.#backoff.delayMs(this.#attempts++), signal).catch(() => {})
      if (signal.aborted) return
      try {
        await open()
        this.#away = undefined
        return
      } catch (err) {
        this.#away = err
        log.debug({ err, attempts: this.#attempts }, 'index still unavailable')
      }
    }
  }

  /** It works: the next loss is a new one. */
  recovered(): void {
    this.#attempts = 0
  }
}
