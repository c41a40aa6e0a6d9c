/** After so much time on the line what was measured before counts half, then a quarter. */
const MEMORY_MS = 10_000
/** What was delivered says nothing of a message more than so many times larger: its time was mostly the way there and back. */
const MAX_EXTRAPOLATION = 8

/** What is to be kept of a message while it is under way. */
export interface Departure {
  readonly sentMs: number
  /** Bytes acknowledged until then. */
  readonly delivered: number
}

/**
 * What the way to the hub and back carries. For every message that is acknowledged: the time since it was sent, and all
 * bytes that were acknowledged in it; through those points the least-squares line from the origin. So a large message says
 * more than many small ones, whose time is the round trip's. The hub's time to store is part of it: a busy hub counts as a
 * thin line.
 */
export class Bandwidth {
  #delivered = 0
  /** Sums of bytes x ms, and of bytes squared. */
  #weighed = 0
  #squares = 0
  #largest = 0
  #ageMs = 0

  depart(nowMs: number): Departure {
    return { sentMs: nowMs, delivered: this.#delivered }
  }

  /** @param bytes of all these messages together */
  acknowledged(departures: readonly Departure[], bytes: number, nowMs: number): void {
    this.#delivered += bytes
    for (const { sentMs, delivered } of departures) this.#add(this.#delivered - delivered, nowMs - sentMs)
  }

  /** Milliseconds that `bytes` take on a share of the line; 0 as long as nothing is known. */
  timeOf(bytes: number, share: number): number {
    if (this.#squares === 0) return 0
    const known = Math.min(bytes, this.#largest * MAX_EXTRAPOLATION)
    return (known * this.#weighed) / (this.#squares * share)
  }

  #add(bytes: number, tookMs: number): void {
    this.#weighed += bytes * tookMs
    this.#squares += bytes * bytes
    this.#largest = Math.max(this.#largest, bytes)
    this.#ageMs += tookMs
    if (this.#ageMs < MEMORY_MS) return
    this.#weighed /= 2
    this.#squares /= 2
    this.#largest = Math.max(this.#largest / 2, bytes)
    this.#ageMs /= 2
  }
}
