import { closeSync, openSync } from 'node:fs'
import { fault, messageOf } from '@sightline/core/errors.js'
import { encodeQuery } from './code-scorer.ts'
import { GraphWalk } from './graph-walk.ts'
import type { SharedMemory } from './kernel.ts'
import { segmentPath } from './segment-file.ts'
import { imageOver, lowerBound } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import { SegmentSearcher } from './segment-search.ts'
import { BlockScanner } from './tail-scan.ts'
import { TopK } from './top-k.ts'
import type { IndexHit, IndexQuery } from './vector-index.ts'
import { blockOver, rowTest, scanSlice, similarityOf, vectorOf } from './vector-rows.ts'

/** Candidates whose vectors are looked at beyond `k`, at least and as a part of it: codes order them only roughly. */
const SPARE_CANDIDATES = 16
const SPARE_SHARE = 0.25

/** What is searched: a sealed segment, or a block of rows that are not sealed yet. */
export type Holding =
  | { readonly kind: 'segment'; readonly meta: SegmentMeta; readonly memory: SharedMemory }
  | { readonly kind: 'block'; readonly id: number; readonly memory: SharedMemory }

/** A query and what it is put to: the segments and rows that existed when it was asked. */
export interface ThreadQuery extends IndexQuery {
  readonly segments: readonly { readonly id: number; readonly rows: number; readonly dead: boolean }[]
  readonly tail: readonly { readonly block: number; readonly from: number; readonly to: number }[]
}

interface HeldSegment {
  readonly searcher: SegmentSearcher
  /** File of the vectors. Held open: a search under way when the segment is replaced still finds them. */
  readonly rows: number
}

/** Answers searches on one thread: candidates by codes and graphs, then the vectors themselves decide. */
export class ThreadSearch {
  readonly #place: { readonly dir: string; readonly dim: number; readonly thread: number }
  readonly #segments = new Map<number, HeldSegment>()
  /** Why a segment that should be held is not. */
  readonly #broken = new Map<number, Error>()
  readonly #blocks = new Map<number, BlockScanner>()
  readonly #walk = new GraphWalk()

  constructor(place: { readonly dir: string; readonly dim: number; readonly thread: number }) {
    this.#place = place
  }

  attach(holding: Holding): void {
    const { dir, dim, thread } = this.#place
    if (holding.kind === 'block') {
      const block = blockOver(holding.memory, holding.id, dim)
      this.#blocks.set(holding.id, new BlockScanner(block, thread))
      return
    }
    const { meta, memory } = holding
    try {
      const rows = openSync(segmentPath(dir, meta.id, 'rows'), 'r')
      const searcher = new SegmentSearcher(meta, imageOver(memory, meta.shape), { thread, rows })
      this.#segments.set(meta.id, { searcher, rows })
    } catch (cause) {
      const details = { segment: meta.id }
      this.#broken.set(meta.id, fault('INDEX_DAMAGED', messageOf(cause), { cause, details }))
    }
  }

  detach(kind: Holding['kind'], id: number): void {
    if (kind === 'block') return void this.#blocks.delete(id)
    const held = this.#segments.get(id)
    if (held !== undefined) closeSync(held.rows)
    this.#segments.delete(id)
    this.#broken.delete(id)
  }

  close(): void {
    for (const id of [...this.#segments.keys()]) this.detach('segment', id)
  }

  /** @throws NOT_READY when a part is not held, INDEX_DAMAGED with the segment in `details` */
  run({ vector, k, filter = {}, exact = false, segments, tail }: ThreadQuery): IndexHit[] {
    const coded = encodeQuery(vector)
    const parts = segments.map(({ id, dead }) => {
      const broken = this.#broken.get(id)
      if (broken !== undefined) throw broken
      const { searcher } = this.#held(this.#segments, id)
      return { searcher, query: { vector, coded, k, filter, dead } }
    })
    const best = new TopK(k)
    const candidates = new TopK(exact ? 0 : k + Math.max(SPARE_CANDIDATES, Math.ceil(SPARE_SHARE * k)))
    for (const { searcher, query } of parts) {
      if (exact) searcher.scan(query, best)
      else searcher.propose(query, this.#walk, candidates)
    }
    const passes = rowTest(filter)
    for (const { block: id, from, to } of tail) {
      const scanner = this.#held(this.#blocks, id)
      if (exact) scanSlice({ block: scanner.block, from, to }, vector, passes, best)
      else scanner.scan({ from, to }, { vector, coded, k, passes }, candidates)
    }
    for (const { ord, capturedAt, similarity } of candidates.hits()) {
      const part = parts.find(({ searcher: { meta } }) => ord > meta.after && ord <= meta.upTo)
      const exactly =
        part === undefined
          ? this.#inTail(ord, tail, vector)
          : part.searcher.rescore({ ord, similarity, least: best.least }, part.query)
      if (exactly !== undefined) best.offer(ord, exactly, capturedAt)
    }
    return best.hits()
  }

  #inTail(ord: number, tail: ThreadQuery['tail'], vector: Float32Array): number {
    for (const { block: id, from, to } of tail) {
      const { block } = this.#held(this.#blocks, id)
      if (ord < block.ords[from]! || ord > block.ords[to - 1]!) continue
      return similarityOf(vectorOf(block, from + lowerBound(block.ords.subarray(from, to), ord)), vector)
    }
    throw fault('INTERNAL', `entry ${ord} was found nowhere`)
  }

  #held<T>(held: ReadonlyMap<number, T>, id: number): T {
    const part = held.get(id)
    if (part === undefined) throw fault('NOT_READY', `part ${id} of the index is not held`)
    return part
  }
}
