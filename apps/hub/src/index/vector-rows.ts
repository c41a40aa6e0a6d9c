import type { TopK } from './top-k.ts'
import type { IndexEntry, IndexFilter } from './vector-index.ts'

/** Rows in parallel columns; `vectors` is row-major [capacity, dim]. */
export interface RowBlock {
  readonly dim: number
  readonly ords: Float64Array
  readonly capturedAt: Float64Array
  readonly sources: Uint32Array
  readonly vectors: Float32Array
}

/** A run of rows of one block, `to` excluded. */
export interface RowSlice {
  readonly block: RowBlock
  readonly from: number
  readonly to: number
}

export type RowTest = (block: RowBlock, row: number) => boolean

export const BYTES_PER_ROW = (dim: number) => 8 + 8 + 4 + 4 * dim

/** Lays the columns over one buffer: first those of eight bytes, so that every view is aligned. */
export function blockOver(buffer: ArrayBuffer | SharedArrayBuffer, rows: number, dim: number): RowBlock {
  return {
    dim,
    ords: new Float64Array(buffer, 0, rows),
    capturedAt: new Float64Array(buffer, 8 * rows, rows),
    sources: new Uint32Array(buffer, 16 * rows, rows),
    vectors: new Float32Array(buffer, 20 * rows, rows * dim),
  }
}

/** The filter as a test of one row; undefined when every row passes. */
export function rowTest(filter: IndexFilter | undefined): RowTest | undefined {
  const { sources, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter ?? {}
  const wanted = sources === undefined ? undefined : new Set(sources)
  const timed = from !== Number.NEGATIVE_INFINITY || to !== Number.POSITIVE_INFINITY
  if (wanted === undefined && !timed) return undefined
  return (block, row) => {
    const at = block.capturedAt[row]!
    return at >= from && at < to && (wanted === undefined || wanted.has(block.sources[row]!))
  }
}

/** Inner product of a row with `query`. Four sums at a time: the additions need not wait for one another. */
export function rowSimilarity({ vectors, dim }: RowBlock, row: number, query: Float32Array): number {
  const offset = row * dim
  const even = dim - (dim % 4)
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let i = 0; i < even; i += 4) {
    const at = offset + i
    a += vectors[at]! * query[i]!
    b += vectors[at + 1]! * query[i + 1]!
    c += vectors[at + 2]! * query[i + 2]!
    d += vectors[at + 3]! * query[i + 3]!
  }
  for (let i = even; i < dim; i++) a += vectors[offset + i]! * query[i]!
  return a + b + (c + d)
}

/** Offers every row of the slice that passes to `best`. */
export function scanSlice(
  slice: RowSlice,
  query: Float32Array,
  passes: RowTest | undefined,
  best: TopK,
): void {
  const { block, from, to } = slice
  for (let row = from; row < to; row++) {
    if (passes === undefined || passes(block, row))
      best.offer(block.ords[row]!, rowSimilarity(block, row, query))
  }
}

const ROWS_PER_BLOCK = 1024

/**
 * Rows that grow at the end and are trimmed at the front. A row never changes once written, and blocks are shared
 * memory, so that a snapshot stays valid while rows are added or trimmed and can be read by another thread.
 */
export class VectorRows {
  readonly dim: number
  readonly #blocks: RowBlock[] = []
  /** Rows of the first block that are trimmed. */
  #start = 0
  #count = 0

  constructor(dim: number) {
    this.dim = dim
  }

  get count(): number {
    return this.#count
  }

  append({ ord, capturedAt, source, vector }: IndexEntry): void {
    const row = (this.#start + this.#count) % ROWS_PER_BLOCK
    if (row === 0) {
      const buffer = new SharedArrayBuffer(ROWS_PER_BLOCK * BYTES_PER_ROW(this.dim))
      this.#blocks.push(blockOver(buffer, ROWS_PER_BLOCK, this.dim))
    }
    const block = this.#blocks.at(-1)!
    block.vectors.set(vector, row * this.dim)
    block.ords[row] = ord
    block.capturedAt[row] = capturedAt
    block.sources[row] = source
    this.#count++
  }

  /** The first `count` rows. */
  snapshot(count = this.#count): RowSlice[] {
    const end = this.#start + Math.min(count, this.#count)
    return this.#blocks
      .map((block, index) => ({
        block,
        from: index === 0 ? this.#start : 0,
        to: Math.min(ROWS_PER_BLOCK, end - index * ROWS_PER_BLOCK),
      }))
      .filter(({ from, to }) => from < to)
  }

  /** Forgets the first `count` rows. */
  trim(count: number): void {
    const whole = Math.floor((this.#start + count) / ROWS_PER_BLOCK)
    this.#blocks.splice(0, whole)
    this.#start = (this.#start + count) % ROWS_PER_BLOCK
    this.#count -= count
  }
}
