import type { Clock } from '@sightline/core'

/** Time that runs `speed` times as fast as the wall's; the speed may be changed. */
export class AcceleratedClock implements Clock {
  #speed = 1
  #baseMs = 0
  #sinceMs = performance.now()

  set speed(speed: number) {
    this.#baseMs = this.monotonic()
    this.#sinceMs = performance.now()
    this.#speed = speed
  }

  now(): number {
    return 1_700_000_000_000 + Math.floor(this.monotonic())
  }

  monotonic(): number {
    return this.#baseMs + (performance.now() - this.#sinceMs) * this.#speed
  }

  /** A sleep that has begun keeps the speed that it began with. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const stop = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, delayMs / this.#speed)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }
}
