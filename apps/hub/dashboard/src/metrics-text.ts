/** The hub's metrics in Prometheus' text format, as far as the System page shows them. */
export class MetricsText {
  readonly #samples = new Map<string, number>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const at = line.lastIndexOf(' ')
      if (line.startsWith('#') || at < 1) continue
      const value = line.slice(at + 1)
      this.#samples.set(line.slice(0, at), value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
    }
  }

  /** Undefined when the hub has no such sample, or none yet. */
  value(name: string): number | undefined {
    const value = this.#samples.get(name)
    return value === undefined || Number.isNaN(value) ? undefined : value
  }

  /** Share of hits among all asked; undefined before the first. */
  hitRate(cache: string): number | undefined {
    const hits = this.value(`${cache}_hits_total`)
    const misses = this.value(`${cache}_misses_total`)
    if (hits === undefined || misses === undefined || hits + misses === 0) return undefined
    return hits / (hits + misses)
  }

  /**
   * Quantile of a histogram without labels, straight within its bucket as Prometheus' histogram_quantile. Above the last
   * bound that bound is all that is known.
   */
  quantile(name: string, share: number): number | undefined {
    const total = this.value(`${name}_count`)
    if (total === undefined || total === 0) return undefined
    const rank = share * total
    let lower = { bound: 0, count: 0 }
    for (const bucket of this.#buckets(name)) {
      if (bucket.count >= rank) {
        if (!Number.isFinite(bucket.bound)) return lower.bound
        const within = bucket.count === lower.count ? 1 : (rank - lower.count) / (bucket.count - lower.count)
        return lower.bound + (bucket.bound - lower.bound) * within
      }
      lower = bucket
    }
    return undefined
  }

  #buckets(name: string): { readonly bound: number; readonly count: number }[] {
    const head = `${name}_bucket{le="`
    return [...this.#samples]
      .filter(([key]) => key.startsWith(head))
      .map(([key, count]) => ({ bound: boundOf(key.slice(head.length, -2)), count }))
      .sort((a, b) => a.bound - b.bound)
  }
}

function boundOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
}
