import type { SimilarityOf } from '@sightline/core/moderation/rule-evidence.js'
import { GROUP_ROWS, SimilarityKernel } from '@sightline/core/moderation/similarity-kernel.js'
import { gateRows, type RuleVectors } from './rule-vectors.ts'

export interface FrameSimilaritiesOptions {
  readonly vectors: RuleVectors
  /** Whether every gate is looked at on every frame, so that their rows are best multiplied at one go. */
  readonly scan: boolean
}

/**
 * Cosines of one frame at a time with the rows of a bundle. Rows that gates are about come first and, with `scan`, all at
 * once; any other is computed when it is asked for, together with its group, and once a frame. Rules keep their rows
 * together, so that a group mostly serves one rule.
 */
export class FrameSimilarities {
  readonly #kernel: SimilarityKernel
  /** Of each row of the bundle in the kernel; -1 for rows that nothing refers to. */
  readonly #places: Int32Array
  /** Places below are computed by `begin`. */
  readonly #scanned: number
  /** Number of the frame that a group was computed for. */
  readonly #groups: Float64Array
  #frame = 0

  constructor({ vectors, scan }: FrameSimilaritiesOptions) {
    const { bundle, matrix, rows } = vectors
    const gates = gateRows(vectors)
    const order = [...new Set([...gates, ...bundle.neutral, ...bundle.rules.flatMap(ownRows)])]
    const { dim } = bundle
    const ordered = new Float32Array(order.length * dim)
    this.#places = new Int32Array(rows).fill(-1)
    for (const [place, row] of order.entries()) {
      ordered.set(matrix.subarray(row * dim, (row + 1) * dim), place * dim)
      this.#places[row] = place
    }
    this.#kernel = new SimilarityKernel({ matrix: ordered, dim, batch: 1 })
    this.#scanned = scan ? gates.length : 0
    this.#groups = new Float64Array(Math.ceil(order.length / GROUP_ROWS))
  }

  /** @param frame L2-normalised, of length dim */
  begin(frame: Float32Array): void {
    this.#kernel.load(0, new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength))
    this.#kernel.runRows(0, 0, this.#scanned)
    this.#frame++
  }

  /** Cosine of the frame with a row that a rule or the neutral set refers to. */
  readonly of: SimilarityOf = row => {
    const place = this.#places[row]!
    if (place >= this.#scanned) {
      const group = (place / GROUP_ROWS) | 0
      if (this.#groups[group] !== this.#frame) {
        this.#kernel.runRows(0, place, place + 1)
        this.#groups[group] = this.#frame
      }
    }
    return this.#kernel.similarity(0, place)
  }
}

function ownRows({ negatives, negativeExamples, head }: RuleVectors['bundle']['rules'][number]): number[] {
  return [...negatives, ...negativeExamples, ...(head ? [head.row] : [])]
}
