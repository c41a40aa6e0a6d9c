import { readSync } from 'node:fs'
import { fault, messageOf } from '@sightline/core/errors.js'
import { type CodedQuery, CodeScorer, doubtOf } from './code-scorer.ts'
import type { GraphWalk } from './graph-walk.ts'
import { selectRows } from './row-selection.ts'
import { BATCH, rowOf, type SegmentImage } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import type { TopK } from './top-k.ts'
import type { IndexFilter } from './vector-index.ts'
import { similarityOf } from './vector-rows.ts'

/** Rows of a graph that is searched with `BASE_EF`; four times as many take `EF_STEP` more. */
const BASE_ROWS = 4096
const BASE_EF = 48
const EF_STEP = 16

/** What looking at a row costs, and passing through one in the graph, in units of one similarity; measured. */
const LIST_COST = 0.1
const WALK_COST = 2
/** Rows newly seen for each row that is opened, in a graph with 32 links. */
const FRESH_LINKS = 12
/** Rows of vectors read from the file at once. */
const READ_ROWS = 256

export interface SegmentQuery {
  readonly vector: Float32Array
  readonly coded: CodedQuery
  readonly k: number
  readonly filter: IndexFilter
  /** Whether rows of the segment were removed. */
  readonly dead: boolean
}

/** Recall on hard sets decides, see docs/benchmarks.md: a larger graph and a larger `k` need more. */
export function efFor(count: number, k: number): number {
  const steps = Math.max(0, Math.log2(count / BASE_ROWS) / 2)
  return Math.max(BASE_EF, 3 * k) + Math.round(EF_STEP * steps)
}

/** One sealed segment, on one thread. */
export class SegmentSearcher {
  readonly meta: SegmentMeta
  readonly #image: SegmentImage
  readonly #scorer: CodeScorer
  readonly #rows: number
  readonly #row: Float32Array<ArrayBuffer>

  /** @param rows file of the vectors, open for reading; closed by whoever opened it */
  constructor(meta: SegmentMeta, image: SegmentImage, { thread, rows }: { thread: number; rows: number }) {
    this.meta = meta
    this.#image = image
    this.#scorer = new CodeScorer(image, thread)
    this.#rows = rows
    this.#row = new Float32Array(image.shape.dim)
  }

  /**
   * Offers the rows that the codes say are near to `candidates`. Either the few rows that pass are all compared, or the
   * graph is walked, whichever is expected to cost less; a walk that turns out dearer than the comparison is given up.
   */
  propose(query: SegmentQuery, walk: GraphWalk, candidates: TopK): void {
    const { filter, k, dead } = query
    const selection = selectRows(this.#image, filter, dead)
    const { count } = this.#image.shape
    if (selection.listed === 0) return
    this.#scorer.setQuery(query.coded)
    const { passes } = selection
    const matching = Math.max(1, selection.matching)
    const exactCost = LIST_COST * selection.listed + matching
    const ef = Math.min(efFor(count, k), count)
    const walkCost = WALK_COST * Math.min(count, (FRESH_LINKS * ef * count) / matching)
    if (walkCost < exactCost) {
      const budget = passes === undefined ? Number.POSITIVE_INFINITY : 2 * exactCost
      const whole = walk.run(this.#image, this.meta, this.#scorer, { ef, passes, budget })
      if (whole && walk.found.size >= Math.min(k, count)) {
        const { ords, capturedAt } = this.#image
        for (let i = 0; i < walk.found.size; i++) {
          const row = walk.found.row(i)
          candidates.offer(ords[row]!, walk.found.similarity(i), capturedAt[row])
        }
        return
      }
    }
    this.#compareAll(selection.candidates, passes, candidates)
  }

  #compareAll(
    list: (visit: (row: number) => void) => void,
    passes: ((row: number) => boolean) | undefined,
    candidates: TopK,
  ): void {
    const { ords, capturedAt } = this.#image
    const { rows, similarities } = this.#scorer
    let count = 0
    const flush = () => {
      if (count === 0) return
      this.#scorer.score(count)
      for (let i = 0; i < count; i++)
        candidates.offer(ords[rows[i]!]!, similarities[i]!, capturedAt[rows[i]!])
      count = 0
    }
    list(row => {
      if (passes !== undefined && !passes(row)) return
      rows[count++] = row
      if (count === BATCH) flush()
    })
    flush()
  }

  /**
   * Exact similarity of a candidate, from its vector in the file; undefined, and nothing is read, where the code says that
   * it is below `least`.
   * @throws INDEX_DAMAGED when that is not the vector that the code was made of
   */
  rescore(
    { ord, similarity, least }: { ord: number; similarity: number; least: number },
    { vector, coded }: SegmentQuery,
  ): number | undefined {
    const row = rowOf(this.#image, ord)
    const scale = this.#image.scales[row]!
    if (similarity + doubtOf(scale) < least) return undefined
    this.#read(row, this.#row)
    const exactly = similarityOf(this.#row, vector)
    // The rounding of code and query, by the inequality of Cauchy and Schwarz.
    const bound = 0.5 * (scale + coded.scale) * Math.sqrt(vector.length) + 1e-3
    if (!(Math.abs(exactly - similarity) <= bound)) this.#damaged(`row ${row} is not what was sealed`)
    return exactly
  }

  /** Offers every row that passes, compared by its vector in the file. */
  scan({ vector, filter, dead }: SegmentQuery, best: TopK): void {
    const { shape, ords, capturedAt } = this.#image
    const { dim, count } = shape
    const selection = selectRows(this.#image, filter, dead)
    const { passes } = selection
    const chunk = new Float32Array(READ_ROWS * dim)
    let loaded = -1
    selection.candidates(row => {
      if (passes !== undefined && !passes(row)) return
      let values = this.#row
      if (selection.listed < count) this.#read(row, values)
      else {
        const from = row - (row % READ_ROWS)
        if (from !== loaded) this.#read(from, chunk.subarray(0, Math.min(READ_ROWS, count - from) * dim))
        loaded = from
        values = chunk.subarray((row - from) * dim, (row - from + 1) * dim)
      }
      best.offer(ords[row]!, similarityOf(values, vector), capturedAt[row])
    })
  }

  #read(row: number, into: Float32Array<ArrayBuffer>): void {
    const { dim } = this.#image.shape
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
    let read = 0
    try {
      read = readSync(this.#rows, bytes, 0, bytes.length, row * 4 * dim)
    } catch (error) {
      this.#damaged(messageOf(error))
    }
    if (read !== bytes.length) this.#damaged(`row ${row} is missing`)
  }

  #damaged(reason: string): never {
    const { id } = this.meta
    throw fault('INDEX_DAMAGED', `segment ${id}: ${reason}`, { details: { segment: id } })
  }
}
