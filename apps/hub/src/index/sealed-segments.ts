import type { ReaderPool } from './reader-pool.ts'
import { hasBit } from './row-selection.ts'
import type { Built } from './segment-build.ts'
import { imageOver, lowerBound, rowOf, type SegmentImage } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import type { IndexFilter } from './vector-index.ts'

export interface Sealed {
  readonly meta: SegmentMeta
  readonly image: SegmentImage
  /** Removed rows. */
  dead: number
}

/** The segments that are searched, by ords ascending; whatever changes here, the readers are told. */
export class SealedSegments {
  readonly #readers: ReaderPool
  #list: Sealed[] = []

  constructor(readers: ReaderPool) {
    this.#readers = readers
  }

  get list(): readonly Sealed[] {
    return this.#list
  }

  get metas(): SegmentMeta[] {
    return this.#list.map(({ meta }) => meta)
  }

  append(built: Built): void {
    this.#list.push(this.#attach(built))
  }

  /** Puts one segment, or none, in the place of neighbours. False when they are not there any more: nothing happens. */
  replace(old: readonly Sealed[], built: Built | undefined): boolean {
    const at = this.#list.indexOf(old[0]!)
    if (old.some((segment, i) => this.#list[at + i] !== segment)) return false
    this.#list.splice(at, old.length, ...(built === undefined ? [] : [this.#attach(built)]))
    for (const { meta } of old) this.#readers.detach('segment', meta.id)
    return true
  }

  /** Forgets a segment and all after it. @returns what was forgotten */
  dropFrom(id: number): Sealed[] {
    const at = this.#list.findIndex(({ meta }) => meta.id === id)
    const dropped = at < 0 ? [] : this.#list.splice(at)
    for (const { meta } of dropped) this.#readers.detach('segment', meta.id)
    return dropped
  }

  /** Whether the row was there; it is then not found any more. */
  remove(ord: number): boolean {
    const segment = this.#list.find(({ meta }) => ord > meta.after && ord <= meta.upTo)
    if (segment === undefined) return false
    const row = rowOf(segment.image, ord)
    if (row < 0 || hasBit(segment.image.dead, row)) return false
    segment.image.dead[row >>> 5]! |= 1 << (row & 31)
    segment.dead++
    return true
  }

  /** What a search with the filter has to look at. */
  within({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: IndexFilter) {
    return this.#list
      .filter(
        ({ meta, dead }) => meta.capturedTo >= from && meta.capturedFrom < to && dead < meta.shape.count,
      )
      .map(({ meta, dead }) => ({ id: meta.id, rows: meta.shape.count, dead: dead > 0 }))
  }

  /** Ords above `after` that were not removed, the first `limit`. */
  ords(after: number, limit: number): number[] {
    const found: number[] = []
    for (const { meta, image } of this.#list) {
      if (meta.upTo <= after) continue
      for (let row = lowerBound(image.ords, after + 1); row < meta.shape.count; row++) {
        if (found.length === limit) return found
        if (!hasBit(image.dead, row)) found.push(image.ords[row]!)
      }
    }
    return found
  }

  stats(): { rows: number; dead: number; bytes: number } {
    const sum = { rows: 0, dead: 0, bytes: 0 }
    for (const { meta, image, dead } of this.#list) {
      sum.rows += meta.shape.count
      sum.dead += dead
      sum.bytes += image.memory.buffer.byteLength
    }
    return sum
  }

  #attach({ meta, memory }: Built): Sealed {
    this.#readers.attach({ kind: 'segment', meta, memory })
    return { meta, image: imageOver(memory, meta.shape), dead: 0 }
  }
}

export function removedFrom({ image }: Sealed): number[] {
  return [...image.ords].filter((_, row) => hasBit(image.dead, row))
}
