import type { CodeScorer } from './code-scorer.ts'
import { RowHeap } from './row-heap.ts'
import { lowerBound, MAX_LINKS, MAX_UPPER_LINKS, type SegmentImage } from './segment-image.ts'

/** Rows kept on the layers above the lowest, and rows that the walk of the lowest layer starts from. */
const UPPER_ROWS = 4
const START_ROWS = 16

export interface WalkPlan {
  /** Passing rows kept while walking: more find more and take longer. */
  readonly ef: number
  /** Whether a row may be found; every row may be passed through. Undefined: all may. */
  readonly passes: ((row: number) => boolean) | undefined
  /** Similarities computed at most; a walk that needs more is given up. */
  readonly budget: number
}

/**
 * Walks the graph of a segment towards the query (Malkov and Yashunin 2018, algorithms 2 and 5). The filter is applied
 * to what is kept, never to where the walk goes, so that the graph stays connected under any filter.
 */
export class GraphWalk {
  readonly found = new RowHeap('worst')
  readonly #open = new RowHeap('best')
  readonly #starts = new RowHeap('worst')
  /** Of each row the number of the walk that saw it last. */
  #seen = new Uint32Array(0)
  #walk = 0

  /** Leaves the nearest passing rows in `found`. @returns false when the walk was given up */
  run(
    image: SegmentImage,
    { entry, maxLevel }: { entry: number; maxLevel: number },
    scorer: CodeScorer,
    { ef, passes, budget }: WalkPlan,
  ): boolean {
    const { found } = this
    const open = this.#open
    const { links } = image
    const { rows, similarities } = scorer
    found.clear()
    this.#descend(image, { entry, maxLevel }, scorer)
    const seen = this.#fresh(image.shape.count)
    const walk = this.#walk
    for (let i = 0; i < this.#starts.size; i++) {
      const row = this.#starts.row(i)
      const similarity = this.#starts.similarity(i)
      seen[row] = walk
      open.push(row, similarity)
      if (passes !== undefined && !passes(row)) continue
      if (found.size < ef) found.push(row, similarity)
      else if (similarity > found.topSimilarity) found.replaceTop(row, similarity)
    }
    let left = budget
    while (open.size > 0) {
      if (found.size === ef && open.topSimilarity < found.topSimilarity) break
      const list = open.topRow * (1 + MAX_LINKS)
      open.pop()
      let count = 0
      for (let at = list + 1, end = list + links[list]!; at <= end; at++) {
        const row = links[at]!
        if (seen[row] === walk) continue
        seen[row] = walk
        rows[count++] = row
      }
      if (count === 0) continue
      left -= count
      if (left < 0) return false
      scorer.score(count)
      for (let i = 0; i < count; i++) {
        const row = rows[i]!
        const similarity = similarities[i]!
        if (found.size === ef && similarity <= found.topSimilarity) continue
        open.push(row, similarity)
        if (passes !== undefined && !passes(row)) continue
        if (found.size < ef) found.push(row, similarity)
        else found.replaceTop(row, similarity)
      }
    }
    return true
  }

  #fresh(count: number): Uint32Array {
    if (this.#seen.length < count || this.#walk === 2 ** 32 - 1) {
      this.#seen = new Uint32Array(Math.max(count, this.#seen.length))
      this.#walk = 0
    }
    this.#walk++
    return this.#seen
  }

  /**
   * From the entry point down to layer 1, leaving the best rows met there in `#starts`. On every layer a beam, not the one
   * best row: scenes of near-identical frames form islands, and the lowest layer alone does not always lead from one to
   * the next.
   */
  #descend(
    image: SegmentImage,
    { entry, maxLevel }: { entry: number; maxLevel: number },
    scorer: CodeScorer,
  ): void {
    const { upper, upperNodes, upperStarts } = image
    const { rows, similarities } = scorer
    const starts = this.#starts
    const open = this.#open
    starts.clear()
    rows[0] = entry
    scorer.score(1)
    starts.push(entry, similarities[0]!)
    for (let level = maxLevel; level > 0; level--) {
      const width = level === 1 ? START_ROWS : UPPER_ROWS
      const seen = this.#fresh(image.shape.count)
      const walk = this.#walk
      open.clear()
      while (starts.size > width) starts.pop()
      for (let i = 0; i < starts.size; i++) {
        seen[starts.row(i)] = walk
        open.push(starts.row(i), starts.similarity(i))
      }
      while (open.size > 0) {
        if (starts.size === width && open.topSimilarity < starts.topSimilarity) break
        const list = upperStarts[lowerBound(upperNodes, open.topRow)]! + (level - 1) * (1 + MAX_UPPER_LINKS)
        open.pop()
        let count = 0
        for (let at = list + 1, end = list + upper[list]!; at <= end; at++) {
          const row = upper[at]!
          if (seen[row] === walk) continue
          seen[row] = walk
          rows[count++] = row
        }
        if (count === 0) continue
        scorer.score(count)
        for (let i = 0; i < count; i++) {
          const similarity = similarities[i]!
          if (starts.size < width) starts.push(rows[i]!, similarity)
          else if (similarity > starts.topSimilarity) starts.replaceTop(rows[i]!, similarity)
          else continue
          open.push(rows[i]!, similarity)
        }
      }
    }
    open.clear()
  }
}
