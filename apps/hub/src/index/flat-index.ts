import { admissible, checkVector } from './admission.ts'
import { TopK } from './top-k.ts'
import type { IndexEntry, IndexHit, IndexQuery, IndexStats, VectorIndex } from './vector-index.ts'
import { rowTest, scanSlice, VectorRows } from './vector-rows.ts'

/** Rows that are scanned between two turns of the event loop (some 3 ms at dim 512). */
const ROWS_PER_TURN = 8192

/** Exact and in memory only: the oracle that every other index is measured against. */
export class FlatIndex implements VectorIndex {
  readonly dim: number
  readonly #rows: VectorRows
  #lastOrd = 0

  constructor({ dim }: { dim: number }) {
    this.dim = dim
    this.#rows = new VectorRows(dim)
  }

  get lastOrd(): number {
    return this.#lastOrd
  }

  async add(entries: readonly IndexEntry[]): Promise<void> {
    for (const entry of admissible(entries, this.dim, this.#lastOrd)) {
      this.#rows.append(entry)
      this.#lastOrd = entry.ord
    }
  }

  async remove(ords: readonly number[]): Promise<number> {
    return ords.filter(ord => this.#rows.remove(ord)).length
  }

  async ords(after: number, limit: number): Promise<number[]> {
    return this.#rows.ordsAfter(after, limit)
  }

  async search({ vector, k, filter }: IndexQuery): Promise<IndexHit[]> {
    checkVector(vector, this.dim)
    const best = new TopK(k)
    const passes = rowTest(filter)
    let scanned = 0
    for (const slice of this.#rows.snapshot()) {
      scanSlice(slice, vector, passes, best)
      scanned += slice.to - slice.from
      if (scanned < ROWS_PER_TURN) continue
      scanned = 0
      await new Promise(resolve => setImmediate(resolve))
    }
    return best.hits()
  }

  stats(): IndexStats {
    const { live, bytes } = this.#rows
    return { vectors: live, tail: live, segments: 0, dead: 0, bytes }
  }

  async settled(): Promise<void> {}

  async close(): Promise<void> {}
}
