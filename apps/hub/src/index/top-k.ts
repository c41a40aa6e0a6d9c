import type { IndexHit } from './vector-index.ts'

/** The best `k` of what is offered: by similarity, ties by time, then ord, descending. A binary heap, worst on top. */
export class TopK {
  readonly #k: number
  readonly #ords: number[] = []
  readonly #times: number[] = []
  readonly #similarities: number[] = []

  constructor(k: number) {
    this.#k = k
  }

  offer(ord: number, similarity: number, capturedAt = 0): void {
    const size = this.#ords.length
    if (size < this.#k) {
      this.#ords.push(ord)
      this.#times.push(capturedAt)
      this.#similarities.push(similarity)
      this.#siftUp(size)
      return
    }
    if (size === 0 || similarity < this.#similarities[0]!) return
    const worst = { ord: this.#ords[0]!, capturedAt: this.#times[0]!, similarity: this.#similarities[0]! }
    if (byRank({ ord, capturedAt, similarity }, worst) >= 0) return
    this.#ords[0] = ord
    this.#times[0] = capturedAt
    this.#similarities[0] = similarity
    this.#siftDown()
  }

  /** What is less similar is not among them. */
  get least(): number {
    return this.#ords.length < this.#k
      ? Number.NEGATIVE_INFINITY
      : (this.#similarities[0] ?? Number.POSITIVE_INFINITY)
  }

  /** Best first. */
  hits(): IndexHit[] {
    return this.#ords
      .map((ord, at) => ({ ord, capturedAt: this.#times[at]!, similarity: this.#similarities[at]! }))
      .sort(byRank)
  }

  #siftUp(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#worse(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #siftDown(): void {
    const size = this.#ords.length
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= size) return
      const right = left + 1
      const child = right < size && this.#worse(right, left) ? right : left
      if (!this.#worse(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #worse(a: number, b: number): boolean {
    const difference = this.#similarities[a]! - this.#similarities[b]!
    if (difference !== 0) return difference < 0
    const later = this.#times[a]! - this.#times[b]!
    return later === 0 ? this.#ords[a]! < this.#ords[b]! : later < 0
  }

  #swap(a: number, b: number): void {
    for (const column of [this.#ords, this.#times, this.#similarities]) {
      const kept = column[a]!
      column[a] = column[b]!
      column[b] = kept
    }
  }
}

/** Best first. */
export function byRank(a: IndexHit, b: IndexHit): number {
  return b.similarity - a.similarity || b.capturedAt - a.capturedAt || b.ord - a.ord
}
