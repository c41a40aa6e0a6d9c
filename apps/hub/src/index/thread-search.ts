import { fault } from '@sightline/core/errors.js'
import { encodeQuery } from './code-scorer.ts'
import { GraphWalk } from './graph-walk.ts'
import type { SegmentSearcher } from './segment-search.ts'
import type { BlockScanner } from './tail-scan.ts'
import { TopK } from './top-k.ts'
import type { IndexHit, IndexQuery } from './vector-index.ts'
import { rowTest, scanSlice, similarityOf, vectorOf } from './vector-rows.ts'

/** Candidates whose vectors are looked at beyond `k`, at least and as a part of it: codes order them only roughly. */
const SPARE_CANDIDATES = 16
const SPARE_SHARE = 0.25

/** A query and what it is put to: the segments and rows that existed when it was asked. */
export interface ThreadQuery extends IndexQuery {
  readonly segments: readonly { readonly id: number; readonly dead: boolean }[]
  readonly tail: readonly { readonly block: number; readonly from: number; readonly to: number }[]
}

/** Answers searches on one thread: candidates by codes and graphs, then the vectors themselves decide. */
export class ThreadSearch {
  readonly segments = new Map<number, SegmentSearcher>()
  /** Why a segment that should be held is not. */
  readonly broken = new Map<number, Error>()
  readonly blocks = new Map<number, BlockScanner>()
  readonly #walk = new GraphWalk()

  /** @throws NOT_READY when a part is not held, INDEX_DAMAGED with the segment in `details` */
  run({ vector, k, filter = {}, exact = false, segments, tail }: ThreadQuery): IndexHit[] {
    const coded = encodeQuery(vector)
    const parts = segments.map(({ id, dead }) => {
      const broken = this.broken.get(id)
      if (broken !== undefined) throw broken
      return { searcher: this.#held(this.segments, id), query: { vector, coded, k, filter, dead } }
    })
    const best = new TopK(k)
    const candidates = new TopK(exact ? 0 : k + Math.max(SPARE_CANDIDATES, Math.ceil(SPARE_SHARE * k)))
    for (const { searcher, query } of parts) {
      if (exact) searcher.scan(query, best)
      else searcher.propose(query, this.#walk, candidates)
    }
    const passes = rowTest(filter)
    for (const { block: id, from, to } of tail) {
      const scanner = this.#held(this.blocks, id)
      if (exact) scanSlice({ block: scanner.block, from, to }, vector, passes, best)
      else scanner.scan({ from, to }, { query: vector, passes }, candidates)
    }
    for (const { ord, capturedAt, similarity } of candidates.hits()) {
      const part = parts.find(({ searcher: { meta } }) => ord > meta.after && ord <= meta.upTo)
      const exactly = part?.searcher.rescore(ord, similarity, part.query) ?? this.#inTail(ord, tail, vector)
      best.offer(ord, exactly, capturedAt)
    }
    return best.hits()
  }

  #inTail(ord: number, tail: ThreadQuery['tail'], vector: Float32Array): number {
    for (const { block: id, from, to } of tail) {
      const { block } = this.#held(this.blocks, id)
      if (ord < block.ords[from]! || ord > block.ords[to - 1]!) continue
      return similarityOf(vectorOf(block, block.ords.subarray(0, to).indexOf(ord, from)), vector)
    }
    throw fault('INTERNAL', `entry ${ord} was found nowhere`)
  }

  #held<T>(held: ReadonlyMap<number, T>, id: number): T {
    const part = held.get(id)
    if (part === undefined) throw fault('NOT_READY', `part ${id} of the index is not held`)
    return part
  }
}
