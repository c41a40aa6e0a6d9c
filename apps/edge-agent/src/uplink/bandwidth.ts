/** Of so much time on the line the measurement is made; what is older counts half, then a quarter. */
const MEMORY_MS = 10_000

/**
 * What the way to the hub and back carries: bytes acknowledged in the time in which something was under way. The hub's
 * time to store is part of it, so a busy hub counts as a thin line.
 */
export class Bandwidth {
  #bytes = 0
  #busyMs = 0
  #since: number | undefined

  /** Something is under way. */
  sent(nowMs: number): void {
    this.#since ??= nowMs
  }

  /** @param more whether something else is still under way */
  acknowledged(bytes: number, nowMs: number, more: boolean): void {
    this.#bytes += bytes
    this.#busyMs += nowMs - (this.#since ?? nowMs)
    this.#since = more ? nowMs : undefined
    if (this.#busyMs < MEMORY_MS) return
    this.#bytes /= 2
    this.#busyMs /= 2
  }

  /** What was under way is lost: the time that it took says nothing. */
  lost(): void {
    this.#since = undefined
  }

  /** Milliseconds that `bytes` take on a share of the line; 0 as long as nothing is known. */
  timeOf(bytes: number, share: number): number {
    return this.#bytes === 0 ? 0 : (bytes * this.#busyMs) / (this.#bytes * share)
  }
}
