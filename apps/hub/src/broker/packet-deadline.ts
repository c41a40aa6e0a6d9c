import type { Clock } from '@sightline/core'

export interface PacketDeadlineOptions {
  readonly timeoutMs: number
  readonly clock: Clock
  /** Called once, when a packet was not finished in time. */
  readonly onExpired: () => void
}

/**
 * Time that a peer has to finish a packet that it has begun. A byte now and then does not extend it, and time in which
 * nobody reads does not count. However fast packets come, one connection has one timer at most.
 */
export class PacketDeadline {
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #onExpired: () => void
  readonly #stopped = new AbortController()
  /** Number of the packet that is being received. */
  #packet: number | undefined
  #beganAt = 0
  #pausedAt: number | undefined
  #watching = false

  constructor({ timeoutMs, clock, onExpired }: PacketDeadlineOptions) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#onExpired = onExpired
  }

  /** Says where the stream stands: within its nth packet, or, undefined, between two. */
  within(packet: number | undefined): void {
    if (packet === this.#packet || this.#stopped.signal.aborted) return
    this.#packet = packet
    this.#beganAt = this.#clock.monotonic()
    void this.#watch()
  }

  /** The stream is not read any more, through no fault of the peer's. */
  pause(): void {
    this.#pausedAt ??= this.#clock.monotonic()
  }

  resume(): void {
    if (this.#pausedAt === undefined) return
    this.#beganAt += this.#clock.monotonic() - this.#pausedAt
    this.#pausedAt = undefined
    void this.#watch()
  }

  stop(): void {
    this.#packet = undefined
    this.#stopped.abort()
  }

  async #watch(): Promise<void> {
    if (this.#watching) return
    this.#watching = true
    while (this.#packet !== undefined && this.#pausedAt === undefined) {
      const leftMs = this.#beganAt + this.#timeoutMs - this.#clock.monotonic()
      if (leftMs <= 0) {
        this.stop()
        this.#onExpired()
      } else {
        // Stopped: no packet is left to watch.
        await this.#clock.sleep(leftMs, this.#stopped.signal).catch(() => {})
      }
    }
    this.#watching = false
  }
}
