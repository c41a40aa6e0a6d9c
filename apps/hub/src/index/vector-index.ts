/** One vector as an index sees it. */
export interface IndexEntry {
  /** The record store's running number; ascending over successive `add` calls. */
  readonly ord: number
  /** L2-normalised, `dim` long. */
  readonly vector: Float32Array
  /** Interned (site, node, camera), see `SourceTable`. */
  readonly source: number
  /** Milliseconds since the epoch. */
  readonly capturedAt: number
}

/** Applied inside the search, so that `k` hits come back whenever that many match. */
export interface IndexFilter {
  /** Sources that match; undefined: all. */
  readonly sources?: readonly number[] | undefined
  /** Captured at or after. */
  readonly from?: number | undefined
  /** Captured before. */
  readonly to?: number | undefined
}

export interface IndexHit {
  readonly ord: number
  /** Exact cosine, computed from the stored vector. */
  readonly similarity: number
}

export interface IndexStats {
  readonly vectors: number
  /** Of those, vectors not yet in a graph and searched exactly. */
  readonly tail: number
  readonly segments: number
}

/** Port: nearest neighbours by cosine over the vectors of one model. */
export interface VectorIndex {
  readonly dim: number
  /**
   * Searchable when the call returns. Entries whose ord is not above the newest known one are ignored.
   * @throws MODEL_DIM_MISMATCH on another length, MODEL_OUTPUT_INVALID on a vector that is not of unit length; none of
   * the entries is then added.
   */
  add(entries: readonly IndexEntry[]): void
  /** Newest ord that is in the index; 0 when empty. Adding continues from here after a restart. */
  readonly lastOrd: number
  /**
   * At most `k` hits, by similarity descending, ties by ord descending. The query is of unit length.
   * @throws MODEL_DIM_MISMATCH on a query of another length.
   */
  search(query: Float32Array, k: number, filter?: IndexFilter): Promise<IndexHit[]>
  stats(): IndexStats
  /** Resolves when no background work is under way: whoever adds a great many entries waits here between portions. */
  settled(): Promise<void>
  /** Writes what is worth keeping and releases workers and files. */
  close(): Promise<void>
}
