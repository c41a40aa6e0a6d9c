import { type Encode, floatStride, kernelOver, type SharedMemory, sharedMemory } from './kernel.ts'
import { BATCH, codeStride, MAX_THREADS } from './segment-image.ts'
import type { TopK } from './top-k.ts'
import { type IndexEntry, type IndexFilter, MAX_LABELS } from './vector-index.ts'

/** Rows that one block holds; few large blocks, since each costs an address range. */
export const ROWS_PER_BLOCK = 2048

/** Rows in parallel columns, in memory that all threads share. */
export interface RowBlock {
  readonly id: number
  readonly memory: SharedMemory
  readonly dim: number
  /** Row-major [ROWS_PER_BLOCK, stride], at address 0; what is beyond `dim` is zeros. */
  readonly vectors: Float32Array
  readonly stride: number
  /** Address of the int8 codes of the vectors, row-major [ROWS_PER_BLOCK, codeStride(dim)]. */
  readonly codesAt: number
  /** A code times this is the element of the vector. */
  readonly scales: Float32Array
  readonly ords: Float64Array
  readonly capturedAt: Float64Array
  readonly sources: Uint32Array
  /** Row-major [ROWS_PER_BLOCK, MAX_LABELS]. */
  readonly labels: Uint32Array
  readonly labelCounts: Uint8Array
  /** 1 for a removed row. */
  readonly dead: Uint8Array
  /** Where the scratch area of thread 0 begins: a query, its codes, then the ids and sums of one call of the kernel. */
  readonly scratchAt: number
}

/** A run of rows of one block, `to` excluded. */
export interface RowSlice {
  readonly block: RowBlock
  readonly from: number
  readonly to: number
}

export type RowTest = (block: RowBlock, row: number) => boolean

export function blockScratchBytes(dim: number): number {
  return 4 * floatStride(dim) + 2 * codeStride(dim) + 8 * BATCH
}

export function newBlock(id: number, dim: number): RowBlock {
  const perRow = 4 * floatStride(dim) + codeStride(dim) + 4 + 8 + 8 + 4 + 4 * MAX_LABELS + 1 + 1
  return blockOver(sharedMemory(ROWS_PER_BLOCK * perRow + MAX_THREADS * blockScratchBytes(dim)), id, dim)
}

export function blockOver(memory: SharedMemory, id: number, dim: number): RowBlock {
  const stride = floatStride(dim)
  const { buffer } = memory
  let at = 0
  const take = (bytesPerRow: number) => {
    const from = at
    at += bytesPerRow * ROWS_PER_BLOCK
    return from
  }
  const vectors = new Float32Array(buffer, take(4 * stride), ROWS_PER_BLOCK * stride)
  const codesAt = take(codeStride(dim))
  return {
    id,
    memory,
    dim,
    stride,
    vectors,
    codesAt,
    scales: new Float32Array(buffer, take(4), ROWS_PER_BLOCK),
    ords: new Float64Array(buffer, take(8), ROWS_PER_BLOCK),
    capturedAt: new Float64Array(buffer, take(8), ROWS_PER_BLOCK),
    sources: new Uint32Array(buffer, take(4), ROWS_PER_BLOCK),
    labels: new Uint32Array(buffer, take(4 * MAX_LABELS), ROWS_PER_BLOCK * MAX_LABELS),
    labelCounts: new Uint8Array(buffer, take(1), ROWS_PER_BLOCK),
    dead: new Uint8Array(buffer, take(1), ROWS_PER_BLOCK),
    scratchAt: at,
  }
}

export function vectorOf({ vectors, stride, dim }: RowBlock, row: number): Float32Array {
  return vectors.subarray(row * stride, row * stride + dim)
}

export function labelsOf({ labels, labelCounts }: RowBlock, row: number): Uint32Array {
  return labels.subarray(row * MAX_LABELS, row * MAX_LABELS + labelCounts[row]!)
}

/** The filter as a test of one row; undefined when every row passes that was not removed. */
export function rowTest(filter: IndexFilter = {}): RowTest | undefined {
  if (Object.values(filter).every(part => part === undefined)) return undefined
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter
  const sources = filter.sources && new Set(filter.sources)
  const labels = filter.labels && new Set(filter.labels)
  const ords = filter.ords && new Set(filter.ords)
  return (block, row) => {
    const at = block.capturedAt[row]!
    if (!(at >= from && at < to)) return false
    if (sources !== undefined && !sources.has(block.sources[row]!)) return false
    if (ords !== undefined && !ords.has(block.ords[row]!)) return false
    return labels === undefined || labelsOf(block, row).some(label => labels.has(label))
  }
}

/** Inner product. Four sums at a time: the additions need not wait for one another. */
export function similarityOf(vector: Float32Array, query: Float32Array): number {
  const dim = query.length
  const even = dim - (dim % 4)
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let i = 0; i < even; i += 4) {
    a += vector[i]! * query[i]!
    b += vector[i + 1]! * query[i + 1]!
    c += vector[i + 2]! * query[i + 2]!
    d += vector[i + 3]! * query[i + 3]!
  }
  for (let i = even; i < dim; i++) a += vector[i]! * query[i]!
  return a + b + (c + d)
}

/** Offers every row of the slice that passes and was not removed to `best`. */
export function scanSlice(
  { block, from, to }: RowSlice,
  query: Float32Array,
  passes: RowTest | undefined,
  best: TopK,
): void {
  for (let row = from; row < to; row++) {
    if (block.dead[row] === 0 && (passes === undefined || passes(block, row)))
      best.offer(block.ords[row]!, similarityOf(vectorOf(block, row), query), block.capturedAt[row])
  }
}

/**
 * Rows that grow at the end and are trimmed at the front. A row never changes once written, but for its removal, and
 * blocks are shared memory, so that a snapshot stays valid while rows are added or trimmed and can be read by another
 * thread.
 */
export class VectorRows {
  readonly dim: number
  readonly #blocks: RowBlock[] = []
  #nextBlock = 0
  /** In the last block. */
  #encode: Encode | undefined
  /** Rows of the first block that are trimmed. */
  #start = 0
  #count = 0
  #dead = 0

  constructor(dim: number) {
    this.dim = dim
  }

  /** Removed ones included. */
  get count(): number {
    return this.#count
  }

  get live(): number {
    return this.#count - this.#dead
  }

  get blocks(): readonly RowBlock[] {
    return this.#blocks
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, { memory }) => sum + memory.buffer.byteLength, 0)
  }

  /** @returns the block that was begun for the row, if one was */
  append({ ord, capturedAt, source, vector, labels = [] }: IndexEntry): RowBlock | undefined {
    const row = (this.#start + this.#count) % ROWS_PER_BLOCK
    const begun = row === 0 ? newBlock(this.#nextBlock++, this.dim) : undefined
    if (begun !== undefined) {
      this.#blocks.push(begun)
      this.#encode = kernelOver(begun.memory).encode
    }
    const block = this.#blocks.at(-1)!
    block.vectors.set(vector, row * block.stride)
    const { stride, codesAt, scales } = block
    this.#encode!(4 * stride * row, codesAt + codeStride(this.dim) * row, stride, scales.byteOffset + 4 * row)
    block.ords[row] = ord
    block.capturedAt[row] = capturedAt
    block.sources[row] = source
    block.labels.set(labels.slice(0, MAX_LABELS), row * MAX_LABELS)
    block.labelCounts[row] = Math.min(labels.length, MAX_LABELS)
    this.#count++
    return begun
  }

  /** Whether the row was there; it is then not found any more. */
  remove(ord: number): boolean {
    for (const { block, from, to } of this.snapshot()) {
      if (ord < block.ords[from]! || ord > block.ords[to - 1]!) continue
      const row = from + indexOf(block.ords.subarray(from, to), ord)
      if (row < from || block.dead[row] === 1) return false
      block.dead[row] = 1
      this.#dead++
      return true
    }
    return false
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

  /** Above `after`, ascending, the first `limit`; removed ones left out. */
  ordsAfter(after: number, limit: number): number[] {
    const found: number[] = []
    for (const { block, from, to } of this.snapshot())
      for (let row = from; row < to && found.length < limit; row++)
        if (block.ords[row]! > after && block.dead[row] === 0) found.push(block.ords[row]!)
    return found
  }

  /** Forgets all rows. @returns the blocks that are not needed any more */
  clear(): RowBlock[] {
    this.#start = this.#count = this.#dead = 0
    // The next row begins a block.
    return this.#blocks.splice(0)
  }

  /** Forgets the first `count` rows. @returns the blocks that are not needed any more */
  trim(count: number): RowBlock[] {
    for (const { block, from, to } of this.snapshot(count))
      for (let row = from; row < to; row++) this.#dead -= block.dead[row]!
    const whole = Math.floor((this.#start + count) / ROWS_PER_BLOCK)
    this.#start = (this.#start + count) % ROWS_PER_BLOCK
    this.#count -= count
    return this.#blocks.splice(0, whole)
  }
}

export function lastOrdOf(slices: readonly RowSlice[]): number {
  const { block, to } = slices.at(-1)!
  return block.ords[to - 1]!
}

export function removedIn(slices: readonly RowSlice[]): number[] {
  return slices.flatMap(({ block, from, to }) =>
    [...block.ords.subarray(from, to)].filter((_, i) => block.dead[from + i] === 1),
  )
}

/** Place of the value in an ascending column, -1 when it is not there. */
function indexOf(ascending: Float64Array, value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! < value) low = middle + 1
    else high = middle
  }
  return ascending[low] === value ? low : Number.NEGATIVE_INFINITY
}
