import { type CodedQuery, doubtOf } from './code-scorer.ts'
import { type Kernel, kernelOver } from './kernel.ts'
import { RowHeap } from './row-heap.ts'
import { BATCH, codeStride } from './segment-image.ts'
import type { TopK } from './top-k.ts'
import { blockScratchBytes, ROWS_PER_BLOCK, type RowBlock, type RowTest } from './vector-rows.ts'

export interface TailQuery {
  readonly vector: Float32Array
  readonly coded: CodedQuery
  readonly k: number
  readonly passes: RowTest | undefined
}

/**
 * Compares a query with rows that are not sealed yet, on one thread: all by their codes, a quarter of the bytes, then by
 * their vectors those that may be among the best `k`.
 */
export class BlockScanner {
  readonly block: RowBlock
  readonly #kernel: Kernel
  readonly #query: Float32Array
  readonly #queryCodes: Int16Array
  readonly #batch: Uint32Array
  readonly #codeSums: Int32Array
  readonly #sums: Float32Array
  /** Rows that passed, and what their similarity is at most. */
  readonly #rows = new Uint32Array(ROWS_PER_BLOCK)
  readonly #atMost = new Float32Array(ROWS_PER_BLOCK)
  /** Of the best `k` rows what their similarity is at least. */
  readonly #atLeast = new RowHeap('worst')

  constructor(block: RowBlock, thread: number) {
    const { memory, stride, dim, scratchAt } = block
    this.block = block
    this.#kernel = kernelOver(memory)
    const at = scratchAt + thread * blockScratchBytes(dim)
    this.#query = new Float32Array(memory.buffer, at, stride)
    this.#queryCodes = new Int16Array(memory.buffer, at + 4 * stride, codeStride(dim))
    const batchAt = at + 4 * stride + 2 * codeStride(dim)
    this.#batch = new Uint32Array(memory.buffer, batchAt, BATCH)
    this.#codeSums = new Int32Array(memory.buffer, batchAt + 4 * BATCH, BATCH)
    this.#sums = new Float32Array(memory.buffer, batchAt + 4 * BATCH, BATCH)
  }

  /** Offers the rows from `from` up to `to`, excluded, that pass and were not removed, but for those that are too far. */
  scan({ from, to }: { from: number; to: number }, query: TailQuery, best: TopK): void {
    const rows = this.#rows
    const atMost = this.#atMost
    const atLeast = this.#atLeast
    const passing = this.#list({ from, to }, query.passes)
    this.#bound(passing, query)
    const least = atLeast.size < query.k ? Number.NEGATIVE_INFINITY : atLeast.topSimilarity
    this.#query.set(query.vector)
    let count = 0
    for (let i = 0; i < passing; i++) {
      if (atMost[i]! < least) continue
      this.#batch[count++] = rows[i]!
      if (count === BATCH) count = this.#offer(count, best)
    }
    this.#offer(count, best)
  }

  #list({ from, to }: { from: number; to: number }, passes: RowTest | undefined): number {
    const { dead } = this.block
    let count = 0
    for (let row = from; row < to; row++)
      if (dead[row] === 0 && (passes === undefined || passes(this.block, row))) this.#rows[count++] = row
    return count
  }

  #bound(passing: number, { coded, k }: TailQuery): void {
    const { codesAt, dim, scales } = this.block
    const rows = this.#rows
    const atMost = this.#atMost
    const atLeast = this.#atLeast
    const sums = this.#codeSums
    const queryAt = this.#queryCodes.byteOffset
    this.#queryCodes.set(coded.codes)
    atLeast.clear()
    for (let at = 0; at < passing; at += BATCH) {
      const count = Math.min(BATCH, passing - at)
      this.#batch.set(rows.subarray(at, at + count))
      this.#kernel.codes(queryAt, codesAt, codeStride(dim), this.#batch.byteOffset, count, sums.byteOffset)
      for (let i = 0; i < count; i++) {
        const row = rows[at + i]!
        const scale = scales[row]!
        const similarity = sums[i]! * coded.scale * scale
        atMost[at + i] = similarity + doubtOf(scale)
        const least = similarity - doubtOf(scale)
        if (atLeast.size < k) atLeast.push(row, least)
        else if (least > atLeast.topSimilarity) atLeast.replaceTop(row, least)
      }
    }
  }

  #offer(count: number, best: TopK): number {
    if (count === 0) return 0
    const { stride, ords, capturedAt } = this.block
    const { byteOffset } = this.#batch
    this.#kernel.floats(this.#query.byteOffset, 0, 4 * stride, byteOffset, count, this.#sums.byteOffset)
    for (let i = 0; i < count; i++) {
      const row = this.#batch[i]!
      best.offer(ords[row]!, this.#sums[i]!, capturedAt[row])
    }
    return 0
  }
}
