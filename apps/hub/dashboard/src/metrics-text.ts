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
}
