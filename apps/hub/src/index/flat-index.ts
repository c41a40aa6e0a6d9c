import { admissible, checkVector } from './admission.ts'
import { TopK } from './top-k.ts'
import type { IndexEntry, IndexFilter, IndexHit, IndexStats, VectorIndex } from './vector-index.ts'
import { type RowSlice, rowTest, scanSlice, VectorRows } from './vector-rows.ts'

/** A slice holds up to 1024 rows; so many are scanned between two turns of the event loop (some 3 ms at dim 512). */
const SLICES_PER_TURN = 8

/** Exact search of a snapshot; lets other work run in between when it is long. */
export async function scanRows(
  slices: readonly RowSlice[],
  query: Float32Array,
  k: number,
  filter?: IndexFilter,
): Promise<IndexHit[]> {
  const best = new TopK(k)
  const passes = rowTest(filter)
  for (const [index, slice] of slices.entries()) {
    if (index > 0 && index % SLICES_PER_TURN === 0) await new Promise(resolve => setImmediate(resolve))
    scanSlice(slice, query, passes, best)
  }
  return best.hits()
}

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

  add(entries: readonly IndexEntry[]): void {
    for (const entry of admissible(entries, this.dim, this.#lastOrd)) {
      this.#rows.append(entry)
      this.#lastOrd = entry.ord
    }
  }

  async search(query: Float32Array, k: number, filter?: IndexFilter): Promise<IndexHit[]> {
    checkVector(query, this.dim)
    return scanRows(this.#rows.snapshot(), query, k, filter)
  }

  stats(): IndexStats {
    return { vectors: this.#rows.count, tail: this.#rows.count, segments: 0 }
  }

  async settled(): Promise<void> {}

  async close(): Promise<void> {}
}
