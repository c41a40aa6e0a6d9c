import type { Clock, Log } from '@sightline/core'

const INTERVAL_MS = 10_000

/** One line per event name and ten seconds, with the number of those left out: a broken device must not fill the disk. */
export class QuietLog {
  readonly #clock: Clock
  readonly #log: Log
  readonly #events = new Map<string, { loggedAt: number; leftOut: number }>()

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  warn(fields: object, event: string): void {
    this.#write('warn', fields, event)
  }

  error(fields: object, event: string): void {
    this.#write('error', fields, event)
  }

  #write(level: 'warn' | 'error', fields: object, event: string): void {
    const now = this.#clock.monotonic()
    const known = this.#events.get(event)
    if (known !== undefined && now - known.loggedAt < INTERVAL_MS) {
      known.leftOut++
      return
    }
    const leftOut = known?.leftOut ?? 0
    this.#events.set(event, { loggedAt: now, leftOut: 0 })
    this.#log[level]({ ...fields, ...(leftOut > 0 ? { leftOut } : {}) }, event)
  }
}
