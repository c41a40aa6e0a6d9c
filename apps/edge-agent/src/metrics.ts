const WINDOW = 512

/** Percentiles over the newest samples. */
export class Timings {
  readonly #samples: number[] = []
  #at = 0
  /** Hears of every sample. */
  onSample: (milliseconds: number) => void = () => {}

  add(milliseconds: number): void {
    this.onSample(milliseconds)
    this.#samples[this.#at] = milliseconds
    this.#at = (this.#at + 1) % WINDOW
  }

  /** Nearest rank; 0 while there is no sample. */
  percentile(p: number): number {
    const sorted = [...this.#samples].sort((a, b) => a - b)
    return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0
  }
}

/** Counters since the agent started. */
export class Metrics {
  framesSeen = 0
  /** Near-identical to the last one that passed. */
  framesGated = 0
  framesEmbedded = 0
  framesFailed = 0
  /** Never seen by the pipeline, because the camera was faster. */
  framesDropped = 0
  actionsSent = 0
  /** Given up after the last attempt. */
  actionsFailed = 0
  /** Given up because too many waited, or because the target wants no more. */
  actionsDropped = 0
  readonly encode = new Timings()
  /** Frame in to verdicts and incidents durably in the outbox. */
  readonly decision = new Timings()
}
