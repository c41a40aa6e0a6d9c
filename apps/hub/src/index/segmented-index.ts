import { mkdir } from 'node:fs/promises'
import { fault, isFault } from '@sightline/core'
import { admissible, checkVector } from './admission.ts'
import { ManifestLog } from './manifest-log.ts'
import { nextRebuild, type Rebuild } from './merge-policy.ts'
import { ReaderPool } from './reader-pool.ts'
import { removedFrom, SealedSegments } from './sealed-segments.ts'
import { SegmentBuilder } from './segment-builder.ts'
import { removeAllBut, removeSegments } from './segment-file.ts'
import { type Manifest, readManifest, writeManifest } from './segment-manifest.ts'
import {
  DEFAULT_MAX_SEGMENT,
  DEFAULT_SEAL_AT,
  MAX_SEAL_FACTOR,
  type SegmentedIndexOptions,
} from './segmented-index-options.ts'
import type { IndexEntry, IndexHit, IndexQuery, IndexStats, VectorIndex } from './vector-index.ts'
import { lastOrdOf, removedIn, VectorRows } from './vector-rows.ts'
import { spawnSegmentWorker } from './worker-channel.ts'

/** Searches that meet a dying worker start again. */
const MAX_ATTEMPTS = 3

/**
 * Opens what was sealed. A segment that is damaged or missing is discarded with all later ones: `lastOrd` is one
 * watermark, so whoever adds continues from the last sound segment and the store fills in the rest.
 */
export async function openSegmentedIndex(options: SegmentedIndexOptions): Promise<SegmentedIndex> {
  const { dir, dim, fingerprint, generation = '', log } = options
  await mkdir(dir, { recursive: true })
  let manifest: Manifest | undefined
  try {
    manifest = readManifest(dir)
  } catch (err) {
    log.warn({ err }, 'index segments discarded')
  }
  if (
    manifest !== undefined &&
    (manifest.fingerprint !== fingerprint || manifest.generation !== generation || manifest.dim !== dim)
  ) {
    log.info({ segments: manifest.segments.length }, 'index segments of another model discarded')
    manifest = undefined
  }
  const index = new SegmentedIndex(options)
  await index.restore(manifest)
  return index
}

/**
 * New vectors are in an exact tail, searchable at once; full tails become HNSW segments in a worker while adding and
 * searching go on, and neighbouring segments become larger ones. A search takes the list of segments and a snapshot of
 * the tail in one step, and segments replace a tail or one another in one step, so that every vector is seen exactly once.
 */
export class SegmentedIndex implements VectorIndex {
  readonly dim: number
  readonly #options: SegmentedIndexOptions
  readonly #sealAt: number
  readonly #readers: ReaderPool
  readonly #segments: SealedSegments
  readonly #tail: VectorRows
  #lastOrd = 0
  #sealedUpTo = 0
  #nextId = 1
  #sealWhen: number
  #sealing: Promise<void> | undefined
  #merging: Promise<void> | undefined
  readonly #manifests: ManifestLog
  readonly #builder: SegmentBuilder
  /** Grows whenever segments are discarded; a seal begun before that is void. */
  #epoch = 0
  #closed = false

  /** For `openSegmentedIndex`. */
  constructor(options: SegmentedIndexOptions) {
    const { dir, dim, readers, failPoint, spawn = spawnSegmentWorker } = options
    this.dim = dim
    this.#options = options
    this.#sealAt = options.sealAt ?? DEFAULT_SEAL_AT
    this.#sealWhen = this.#sealAt
    this.#readers = new ReaderPool({ dir, dim, spawn, readers })
    this.#builder = new SegmentBuilder({ dir, dim, spawn, failPoint })
    this.#segments = new SealedSegments(this.#readers)
    this.#manifests = new ManifestLog(options)
    this.#tail = new VectorRows(dim)
  }

  get lastOrd(): number {
    return this.#lastOrd
  }

  /** Loads what the manifest lists as far as it is sound and removes all other segment files. */
  async restore(manifest: Manifest | undefined): Promise<void> {
    const { dir, log } = this.#options
    const listed = manifest?.segments ?? []
    this.#nextId = manifest?.nextId ?? 1
    this.#sealedUpTo = manifest?.sealedUpTo ?? 0
    const loads = await Promise.allSettled(listed.map(meta => this.#readers.load(meta)))
    for (const [i, load] of loads.entries()) {
      const meta = listed[i]!
      if (load.status === 'rejected') {
        if (!isFault(load.reason, 'INDEX_DAMAGED')) throw load.reason
        log.warn({ err: load.reason, segments: listed.length - i }, 'index segments discarded')
        this.#sealedUpTo = meta.after
        break
      }
      this.#segments.append({ meta, memory: load.value })
    }
    this.#lastOrd = this.#sealedUpTo
    const kept = this.#segments.metas.map(({ id }) => id)
    if (kept.length < listed.length) await writeManifest(dir, this.#manifest())
    removeAllBut(dir, kept)
    this.#tidy()
  }

  async add(entries: readonly IndexEntry[]): Promise<void> {
    for (const entry of admissible(entries, this.dim, this.#lastOrd)) {
      const begun = this.#tail.append(entry)
      if (begun !== undefined) this.#readers.attach({ kind: 'block', id: begun.id, memory: begun.memory })
      this.#lastOrd = entry.ord
    }
    this.#sealIfFull()
  }

  async remove(ords: readonly number[]): Promise<number> {
    const known = ords.filter(ord => this.#tail.remove(ord) || this.#segments.remove(ord))
    if (known.length > 0) this.#tidy()
    return known.length
  }

  async ords(after: number, limit: number): Promise<number[]> {
    const sealed = this.#segments.ords(after, limit)
    return [...sealed, ...this.#tail.ordsAfter(after, limit - sealed.length)]
  }

  async search(query: IndexQuery): Promise<IndexHit[]> {
    checkVector(query.vector, this.dim)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#searchOnce(query)
      } catch (error) {
        // Each time there is one segment less, so this ends.
        if (isFault(error, 'INDEX_DAMAGED')) this.#discardFrom(Number(error.details.segment), error)
        else if (!isFault(error, 'NOT_READY') || attempt >= MAX_ATTEMPTS) throw error
        if (this.#closed) throw error
      }
    }
  }

  async #searchOnce(query: IndexQuery): Promise<IndexHit[]> {
    const segments = this.#segments.within(query.filter ?? {})
    const tail = this.#tail.snapshot().map(({ block, ...rows }) => ({ block: block.id, ...rows }))
    if (query.k < 1 || segments.length + tail.length === 0) return []
    return this.#readers.search({ ...query, segments, tail })
  }

  stats(): IndexStats {
    const { rows, dead, bytes } = this.#segments.stats()
    const { live } = this.#tail
    return {
      vectors: rows - dead + live,
      tail: live,
      segments: this.#segments.list.length,
      dead,
      bytes: bytes + this.#tail.bytes,
    }
  }

  async settled(): Promise<void> {
    while (this.#sealing !== undefined || this.#merging !== undefined) await (this.#sealing ?? this.#merging)
    await this.#manifests.settled
  }

  /** Building under way is abandoned: the store still has the vectors. */
  async close(): Promise<void> {
    this.#closed = true
    this.#builder.stop()
    await this.settled()
    await this.#readers.close()
  }

  #sealIfFull(): void {
    if (this.#closed || this.#sealing !== undefined || this.#tail.count < this.#sealWhen) return
    const count = Math.min(this.#tail.count, this.#sealAt * MAX_SEAL_FACTOR)
    this.#sealing = this.#seal(count).finally(() => {
      this.#sealing = undefined
      this.#sealIfFull()
      this.#tidy()
    })
  }

  async #seal(count: number): Promise<void> {
    const { dir, log } = this.#options
    const epoch = this.#epoch
    const slices = this.#tail.snapshot(count)
    const upTo = lastOrdOf(slices)
    const parts = slices.map(({ block, from, to }) => ({ memory: block.memory, block: block.id, from, to }))
    const id = this.#nextId++
    try {
      const built = await this.#builder.build({ id, parts, after: this.#sealedUpTo, upTo, patient: false })
      if (epoch !== this.#epoch) return await removeSegments(dir, [id])
      const removed = removedIn(slices)
      if (built !== undefined) this.#segments.append(built)
      for (const block of this.#tail.trim(count)) this.#readers.detach('block', block.id)
      for (const ord of removed) this.#segments.remove(ord)
      this.#sealedUpTo = upTo
      this.#sealWhen = this.#sealAt
      log.info({ vectors: count, segments: this.#segments.list.length }, 'index segment sealed')
      await this.#manifests.commit(() => this.#manifest(), [])
    } catch (err) {
      // The tail keeps its vectors and is searched exactly; the next attempt waits for as many again.
      this.#sealWhen = this.#tail.count + this.#sealAt
      await removeSegments(dir, [id])
      if (!this.#closed) log.error({ err, vectors: count }, 'index segment not sealed')
    }
  }

  /** Merges and shrinks segments, one at a time, for as long as there is something to do. */
  #tidy(): void {
    if (this.#closed || this.#merging !== undefined) return
    const sizes = this.#segments.list.map(({ meta, dead }) => ({ count: meta.shape.count, dead }))
    const maxRows = this.#options.maxSegment ?? DEFAULT_MAX_SEGMENT
    const rebuild = nextRebuild(sizes, { sealAt: this.#sealAt, maxRows })
    if (rebuild === undefined) return
    this.#merging = this.#rebuild(rebuild).then(done => {
      this.#merging = undefined
      // After a failure the next seal or removal tries again.
      if (done) this.#tidy()
    })
  }

  async #rebuild({ from, to }: Rebuild): Promise<boolean> {
    const { dir, log } = this.#options
    const old = this.#segments.list.slice(from, to)
    const parts = old.map(({ meta, image }) => ({ segment: meta, memory: image.memory }))
    const range = { after: old[0]!.meta.after, upTo: old.at(-1)!.meta.upTo }
    const id = this.#nextId++
    try {
      const built = await this.#builder.build({ id, parts, ...range, patient: true })
      // What was discarded meanwhile must not come back.
      if (!this.#segments.replace(old, built)) {
        await removeSegments(dir, [id])
        return true
      }
      // What was removed meanwhile is in the new one still.
      for (const ord of old.flatMap(removedFrom)) this.#segments.remove(ord)
      log.info({ merged: old.length, vectors: built?.meta.shape.count ?? 0 }, 'index segments merged')
      await this.#manifests.commit(
        () => this.#manifest(),
        old.map(({ meta }) => meta.id),
      )
      return true
    } catch (error) {
      await removeSegments(dir, [id])
      if (isFault(error, 'INDEX_DAMAGED') && error.details.segment !== undefined)
        this.#discardFrom(Number(error.details.segment), error)
      else if (!this.#closed) log.error({ err: error, segments: old.length }, 'index segments not merged')
      return false
    }
  }

  #manifest(): Manifest {
    const { fingerprint, generation = '' } = this.#options
    return {
      v: 2,
      fingerprint,
      generation,
      dim: this.dim,
      sealedUpTo: this.#sealedUpTo,
      nextId: this.#nextId,
      segments: this.#segments.metas,
    }
  }

  /** The files of a segment were altered while it was in use: forgets it and all that came after it. */
  #discardFrom(id: number, reason: unknown): void {
    const dropped = this.#segments.dropFrom(id)
    if (dropped.length === 0) return
    const { log } = this.#options
    const err = fault('INDEX_DAMAGED', `segment ${id} is not what was sealed`, { cause: reason })
    log.warn({ err, segments: dropped.length }, 'index segments discarded')
    this.#epoch++
    for (const block of this.#tail.clear()) this.#readers.detach('block', block.id)
    this.#sealWhen = this.#sealAt
    this.#lastOrd = this.#sealedUpTo = dropped[0]!.meta.after
    void this.#manifests.commit(
      () => this.#manifest(),
      dropped.map(({ meta }) => meta.id),
    )
  }
}
