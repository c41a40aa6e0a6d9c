import type { Clock } from '@sightline/core'

interface Sleeper {
  readonly dueMs: number
  readonly resolve: () => void
}

/** Time that moves only when told to. Both readings begin at `startMs`. */
export class FakeClock implements Clock {
  #nowMs: number
  #setByMs = 0
  readonly #sleepers = new Set<Sleeper>()

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
  }

  now(): number {
    // As Date.now(): whole milliseconds, however finely time was advanced.
    return Math.floor(this.#nowMs + this.#setByMs)
  }

  monotonic(): number {
    return this.#nowMs
  }

  /** Somebody sets the clock: the time of day jumps, monotonic time does not. */
  set(nowMs: number): void {
    this.#setByMs = nowMs - this.#nowMs
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const sleeper = { dueMs: this.#nowMs + delayMs, resolve }
      this.#sleepers.add(sleeper)
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers.delete(sleeper)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  }

  /** Delays that something waits for, shortest first. */
  get sleeping(): number[] {
    return [...this.#sleepers].map(({ dueMs }) => dueMs - this.#nowMs).sort((a, b) => a - b)
  }

  /** Moves on, waking everyone in order; what they then do happens before the next one wakes. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const [next] = [...this.#sleepers]
        .filter(each => each.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs)
      if (next === undefined) break
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      this.#sleepers.delete(next)
      next.resolve()
      await settled()
    }
    this.#nowMs = untilMs
    await settled()
  }
}

/** A turn of the event loop: promises that were resolved have run. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
