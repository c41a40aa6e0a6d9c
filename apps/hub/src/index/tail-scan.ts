import { type Kernel, kernelOver } from './kernel.ts'
import { BATCH } from './segment-image.ts'
import type { TopK } from './top-k.ts'
import { blockScratchBytes, type RowBlock, type RowTest } from './vector-rows.ts'

/** Compares a query with rows that are not sealed yet, on one thread. */
export class BlockScanner {
  readonly block: RowBlock
  readonly #kernel: Kernel
  readonly #scratchAt: number
  readonly #query: Float32Array
  readonly #rows: Uint32Array
  readonly #sums: Float32Array

  constructor(block: RowBlock, thread: number) {
    const { memory, stride, scratchAt } = block
    this.block = block
    this.#kernel = kernelOver(memory)
    const at = scratchAt + thread * blockScratchBytes(stride)
    this.#scratchAt = at
    this.#query = new Float32Array(memory.buffer, at, stride)
    this.#rows = new Uint32Array(memory.buffer, at + 4 * stride, BATCH)
    this.#sums = new Float32Array(memory.buffer, at + 4 * stride + 4 * BATCH, BATCH)
  }

  /** Offers the rows from `from` up to `to`, excluded, that pass and were not removed. */
  scan(
    { from, to }: { from: number; to: number },
    { query, passes }: { query: Float32Array; passes: RowTest | undefined },
    best: TopK,
  ): void {
    const { dead } = this.block
    this.#query.set(query)
    let count = 0
    for (let row = from; row < to; row++) {
      if (dead[row] === 1 || (passes !== undefined && !passes(this.block, row))) continue
      this.#rows[count++] = row
      if (count === BATCH) count = this.#flush(count, best)
    }
    this.#flush(count, best)
  }

  #flush(count: number, best: TopK): number {
    if (count === 0) return 0
    const { stride, ords, capturedAt } = this.block
    const rowsAt = this.#scratchAt + 4 * stride
    this.#kernel.floats(this.#scratchAt, 0, 4 * stride, rowsAt, count, rowsAt + 4 * BATCH)
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i]!
      best.offer(ords[row]!, this.#sums[i]!, capturedAt[row])
    }
    return 0
  }
}
