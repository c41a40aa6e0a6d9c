export interface CacheStats {
  readonly hits: number
  readonly misses: number
  readonly bytes: number
}

/** Values by key up to a number of bytes; the least recently used go first. */
export class ByteCache<Value> {
  readonly #maxBytes: number
  /** A map keeps the order of insertion: what is read is put in anew. */
  readonly #entries = new Map<string, { readonly value: Value; readonly bytes: number }>()
  #bytes = 0
  #hits = 0
  #misses = 0

  constructor({ maxBytes }: { maxBytes: number }) {
    this.#maxBytes = maxBytes
  }

  get stats(): CacheStats {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#bytes }
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** @param bytes of the value; the key's are added. */
  set(key: string, value: Value, bytes: number): void {
    this.#remove(key)
    const whole = bytes + 2 * key.length
    if (whole > this.#maxBytes) return
    this.#entries.set(key, { value, bytes: whole })
    this.#bytes += whole
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#remove(oldest)
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  #remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0
    this.#entries.delete(key)
  }
}
