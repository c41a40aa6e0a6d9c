/** Rows by similarity in a binary heap of fixed size; `keepBest` decides which end is on top. */
export class RowHeap {
  readonly #sign: 1 | -1
  #rows = new Uint32Array(256)
  /** Similarity, negated in a heap that shows its worst. */
  #keys = new Float64Array(256)
  size = 0

  constructor(top: 'best' | 'worst') {
    this.#sign = top === 'best' ? 1 : -1
  }

  clear(): void {
    this.size = 0
  }

  get topRow(): number {
    return this.#rows[0]!
  }

  get topSimilarity(): number {
    return this.#sign * this.#keys[0]!
  }

  row(at: number): number {
    return this.#rows[at]!
  }

  similarity(at: number): number {
    return this.#sign * this.#keys[at]!
  }

  push(row: number, similarity: number): void {
    if (this.size === this.#rows.length) this.#grow()
    const rows = this.#rows
    const keys = this.#keys
    const key = this.#sign * similarity
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! >= key) break
      rows[at] = rows[parent]!
      keys[at] = keys[parent]!
      at = parent
    }
    rows[at] = row
    keys[at] = key
  }

  /** Removes the top. */
  pop(): void {
    const size = --this.size
    if (size > 0) this.#sink(this.#rows[size]!, this.#keys[size]!)
  }

  /** `pop`, then `push`. */
  replaceTop(row: number, similarity: number): void {
    this.#sink(row, this.#sign * similarity)
  }

  #sink(row: number, key: number): void {
    const rows = this.#rows
    const keys = this.#keys
    const size = this.size
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && keys[child + 1]! > keys[child]!) child++
      if (keys[child]! <= key) break
      rows[at] = rows[child]!
      keys[at] = keys[child]!
      at = child
    }
    rows[at] = row
    keys[at] = key
  }

  #grow(): void {
    const rows = new Uint32Array(2 * this.#rows.length)
    rows.set(this.#rows)
    this.#rows = rows
    const keys = new Float64Array(rows.length)
    keys.set(this.#keys)
    this.#keys = keys
  }
}
