import type { IndexHit } from './vector-index.ts'

/** The best `k` of what is offered, by similarity descending, ties by ord descending. A binary heap, worst on top. */
export class TopK {
  readonly #k: number
  readonly #ords: number[] = []
  readonly #similarities: number[] = []

  constructor(k: number) {
    this.#k = k
  }

  offer(ord: number, similarity: number): void {
    const size = this.#ords.length
    if (size < this.#k) {
      this.#ords.push(ord)
      this.#similarities.push(similarity)
      this.#siftUp(size)
    } else if (this.#k > 0 && isWorse(this.#similarities[0]!, this.#ords[0]!, similarity, ord)) {
      this.#ords[0] = ord
      this.#similarities[0] = similarity
      this.#siftDown()
    }
  }

  /** Best first. */
  hits(): IndexHit[] {
    return this.#ords
      .map((ord, at) => ({ ord, similarity: this.#similarities[at]! }))
      .sort((a, b) => b.similarity - a.similarity || b.ord - a.ord)
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
    return isWorse(this.#similarities[a]!, this.#ords[a]!, this.#similarities[b]!, this.#ords[b]!)
  }

  #swap(a: number, b: number): void {
    const ord = this.#ords[a]!
    this.#ords[a] = this.#ords[b]!
    this.#ords[b] = ord
    const similarity = this.#similarities[a]!
    this.#similarities[a] = this.#similarities[b]!
    this.#similarities[b] = similarity
  }
}

function isWorse(similarity: number, ord: number, thanSimilarity: number, thanOrd: number): boolean {
  return similarity < thanSimilarity || (similarity === thanSimilarity && ord < thanOrd)
}
