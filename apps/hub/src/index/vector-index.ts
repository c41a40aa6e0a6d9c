/** One vector as an index sees it. */
export interface IndexEntry {
  /** The record store's running number; ascending over successive `add` calls. */
  readonly ord: number
  /** L2-normalised, `dim` long. */
  readonly vector: Float32Array
  /** Interned (site, node, camera), see `NameTable`. */
  readonly source: number
  /** Milliseconds since the epoch. */
  readonly capturedAt: number
  /** Interned marks that can be filtered by, see `NameTable`; at most `MAX_LABELS`. */
  readonly labels?: readonly number[] | undefined
}

/** Of one entry: the protocol's 64 verdicts and one for the whole frame. */
export const MAX_LABELS = 65

/** Applied inside the search, so that `k` hits come back whenever that many match. Every part given must match. */
export interface IndexFilter {
  /** One of these sources. */
  readonly sources?: readonly number[] | undefined
  /** Captured at or after. */
  readonly from?: number | undefined
  /** Captured before. */
  readonly to?: number | undefined
  /** At least one of these labels. */
  readonly labels?: readonly number[] | undefined
  /** One of these entries. */
  readonly ords?: readonly number[] | undefined
}

export interface IndexQuery {
  /** Of unit length. */
  readonly vector: Float32Array
  readonly k: number
  readonly filter?: IndexFilter | undefined
  /** Compare with every vector that passes: all true neighbours, in the time that takes. */
  readonly exact?: boolean | undefined
}

export interface IndexHit {
  readonly ord: number
  readonly capturedAt: number
  /** Exact cosine, computed from the stored vector. */
  readonly similarity: number
}

export interface IndexStats {
  /** That can be found. */
  readonly vectors: number
  /** Of those, vectors not yet in a graph and searched exactly. */
  readonly tail: number
  readonly segments: number
  /** Removed ones that still take up room in a segment. */
  readonly dead: number
  /** Memory held for the vectors and the graphs. */
  readonly bytes: number
}

/** Port: nearest neighbours by cosine over the vectors of one model. */
export interface VectorIndex {
  readonly dim: number
  /**
   * Searchable when the promise resolves. Entries whose ord is not above the newest known one are ignored, so that adding
   * twice is adding once, and what was removed does not come back.
   * @throws MODEL_DIM_MISMATCH on another length, MODEL_OUTPUT_INVALID on a vector that is not of unit length; none of
   * the entries is then added.
   */
  add(entries: readonly IndexEntry[]): Promise<void>
  /** Removed entries are not found any more when it resolves. Resolves with how many were known. */
  remove(ords: readonly number[]): Promise<number>
  /** Newest ord that was taken in; 0 when empty. Adding continues from here after a restart. */
  readonly lastOrd: number
  /** Ords above `after` that are in the index, ascending, the first `limit`: to compare it with the store. */
  ords(after: number, limit: number): Promise<number[]>
  /**
   * At most `k` hits, by similarity descending, ties by time descending, then by ord descending.
   * @throws MODEL_DIM_MISMATCH on a query of another length, MODEL_OUTPUT_INVALID on one that is not of unit length.
   */
  search(query: IndexQuery): Promise<IndexHit[]>
  stats(): IndexStats
  /** Resolves when no background work is under way: whoever adds a great many entries waits here between portions. */
  settled(): Promise<void>
  /** Writes what is worth keeping and releases workers and files. */
  close(): Promise<void>
}
