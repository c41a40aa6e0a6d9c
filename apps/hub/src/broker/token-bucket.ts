import type { Clock } from '@sightline/core'

/** Lets a number pass per second, and as many at once after a second of rest. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #clock: Clock
  #tokens: number
  /** When `#tokens` was last brought up to date. */
  #at: number

  constructor({ perSecond, clock }: { perSecond: number; clock: Clock }) {
    this.#perSecond = perSecond
    this.#clock = clock
    this.#tokens = perSecond
    this.#at = clock.monotonic()
  }

  /** False when there is none. */
  take(): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Time until there is one, in whole milliseconds, as timers count them. */
  get waitMs(): number {
    this.#refill()
    return Math.max(0, Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond))
  }

  #refill(): void {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) * this.#perSecond) / 1000)
    this.#at = now
  }
}
