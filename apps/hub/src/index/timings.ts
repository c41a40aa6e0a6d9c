const KEPT = 1024

/** How long the last 1024 of something took. */
export class Timings {
  readonly #samples: number[] = []
  #next = 0

  record(ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % KEPT
  }

  /** Milliseconds, by nearest rank; NaN before the first. */
  percentile(p: number): number {
    const sorted = [...this.#samples].sort((a, b) => a - b)
    return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN
  }
}
