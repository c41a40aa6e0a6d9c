import { mkdir, rm } from 'node:fs/promises'
import { fault, isFault, type Log } from '@sightline/core'
import { admissible, checkVector } from './admission.ts'
import { nextRebuild, type Rebuild } from './merge-policy.ts'
import { ReaderPool } from './reader-pool.ts'
import { hasBit } from './row-selection.ts'
import type { BuildPart, BuildRequest, Built } from './segment-build.ts'
import { removeAllBut, segmentPath } from './segment-file.ts'
import { imageOver, lowerBound, rowOf, type SegmentImage } from './segment-image.ts'
import { type Manifest, readManifest, type SegmentMeta, writeManifest } from './segment-manifest.ts'
import type { IndexEntry, IndexHit, IndexQuery, IndexStats, VectorIndex } from './vector-index.ts'
import { type RowSlice, VectorRows } from './vector-rows.ts'
import { type SpawnWorker, spawnSegmentWorker, WorkerChannel } from './worker-channel.ts'

const DEFAULT_SEAL_AT = 4096
/** A backlog is sealed into fewer, larger segments: up to so many times `sealAt`. */
const MAX_SEAL_FACTOR = 16
/** Building one takes some 0.6 GB at 512 dimensions. */
const DEFAULT_MAX_SEGMENT = 262_144
/** Searches that meet a dying worker start again. */
const MAX_ATTEMPTS = 3

export interface SegmentedIndexOptions {
  /** Holds the segments and nothing else that starts with `segment`. Created when missing. */
  readonly dir: string
  readonly dim: number
  /** Segments of another model are discarded. */
  readonly fingerprint: string
  /** Segments of another generation are discarded: their source numbers mean something else. Default: empty. */
  readonly generation?: string | undefined
  readonly log: Log
  /** Vectors in the exact tail that are sealed into a graph. Default 4096. */
  readonly sealAt?: number | undefined
  /** Vectors of the largest segment that merging makes. Default 262,144. */
  readonly maxSegment?: number | undefined
  /** Threads that search. */
  readonly readers?: number | undefined
  /** How a worker is started; tests watch and end workers through this. */
  readonly spawn?: SpawnWorker | undefined
  /** Called at the points where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: ((name: IndexFailPoint) => void) | undefined
}

export type IndexFailPoint = 'segment built' | 'manifest written' | 'segments removed'

interface Sealed {
  readonly meta: SegmentMeta
  readonly image: SegmentImage
  /** Removed rows. */
  dead: number
}

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
  readonly #spawn: SpawnWorker
  readonly #sealAt: number
  readonly #readers: ReaderPool
  /** By ords, ascending. */
  #segments: Sealed[] = []
  readonly #tail: VectorRows
  #lastOrd = 0
  #sealedUpTo = 0
  #nextId = 1
  #sealWhen: number
  #sealing: Promise<void> | undefined
  #merging: Promise<void> | undefined
  #committed: Promise<void> = Promise.resolve()
  /** Shared with the builders, see `BuildRequest`. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4))
  /** Grows whenever segments are discarded; a seal begun before that is void. */
  #epoch = 0
  #closed = false

  /** For `openSegmentedIndex`. */
  constructor(options: SegmentedIndexOptions) {
    const { dir, dim, readers, spawn = spawnSegmentWorker } = options
    this.dim = dim
    this.#options = options
    this.#spawn = spawn
    this.#sealAt = options.sealAt ?? DEFAULT_SEAL_AT
    this.#sealWhen = this.#sealAt
    this.#readers = new ReaderPool({ dir, dim, spawn, readers })
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
      this.#hold({ meta, memory: load.value })
    }
    this.#lastOrd = this.#sealedUpTo
    if (this.#segments.length < listed.length) await writeManifest(dir, this.#manifest())
    removeAllBut(
      dir,
      this.#segments.map(({ meta }) => meta.id),
    )
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
    const known = ords.filter(ord => this.#tail.remove(ord) || this.#markDead(ord))
    if (known.length > 0) this.#tidy()
    return known.length
  }

  async ords(after: number, limit: number): Promise<number[]> {
    const found: number[] = []
    for (const { meta, image } of this.#segments) {
      if (meta.upTo <= after) continue
      for (let row = lowerBound(image.ords, after + 1); row < meta.shape.count; row++) {
        if (found.length === limit) return found
        if (!hasBit(image.dead, row)) found.push(image.ords[row]!)
      }
    }
    for (const { block, from, to } of this.#tail.snapshot())
      for (let row = from; row < to && found.length < limit; row++)
        if (block.ords[row]! > after && block.dead[row] === 0) found.push(block.ords[row]!)
    return found
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
    const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query.filter ?? {}
    const segments = this.#segments
      .filter(
        ({ meta, dead }) => meta.capturedTo >= from && meta.capturedFrom < to && dead < meta.shape.count,
      )
      .map(({ meta, dead }) => ({ id: meta.id, dead: dead > 0 }))
    const tail = this.#tail.snapshot().map(({ block, ...rows }) => ({ block: block.id, ...rows }))
    if (query.k < 1 || segments.length + tail.length === 0) return []
    return this.#readers.search({ ...query, segments, tail })
  }

  stats(): IndexStats {
    const rows = this.#segments.reduce((sum, { meta }) => sum + meta.shape.count, 0)
    const dead = this.#segments.reduce((sum, segment) => sum + segment.dead, 0)
    const bytes = this.#segments.reduce((sum, { image }) => sum + image.memory.buffer.byteLength, 0)
    const { live } = this.#tail
    return {
      vectors: rows - dead + live,
      tail: live,
      segments: this.#segments.length,
      dead,
      bytes: bytes + this.#tail.bytes,
    }
  }

  async settled(): Promise<void> {
    while (this.#sealing !== undefined || this.#merging !== undefined) await (this.#sealing ?? this.#merging)
    await this.#committed
  }

  /** Building under way is abandoned: the store still has the vectors. */
  async close(): Promise<void> {
    this.#closed = true
    Atomics.store(this.#stop, 0, 1)
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
    const { log } = this.#options
    const epoch = this.#epoch
    const slices = this.#tail.snapshot(count)
    const upTo = lastOrdOf(slices)
    const parts = slices.map(({ block, from, to }) => ({ memory: block.memory, block: block.id, from, to }))
    const id = this.#nextId++
    try {
      const built = await this.#build({ id, parts, after: this.#sealedUpTo, upTo, patient: false })
      if (epoch !== this.#epoch) return await this.#removeFiles([id])
      if (built !== undefined) this.#copyRemovals(this.#hold(built), removedIn(slices))
      for (const block of this.#tail.trim(count)) this.#readers.detach('block', block.id)
      this.#sealedUpTo = upTo
      this.#sealWhen = this.#sealAt
      log.info({ vectors: count, segments: this.#segments.length }, 'index segment sealed')
      await this.#commit([])
    } catch (err) {
      // The tail keeps its vectors and is searched exactly; the next attempt waits for as many again.
      this.#sealWhen = this.#tail.count + this.#sealAt
      await this.#removeFiles([id])
      if (!this.#closed) log.error({ err, vectors: count }, 'index segment not sealed')
    }
  }

  /** Merges and shrinks segments, one at a time, for as long as there is something to do. */
  #tidy(): void {
    if (this.#closed || this.#merging !== undefined) return
    const sizes = this.#segments.map(({ meta, dead }) => ({ count: meta.shape.count, dead }))
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
    const { log } = this.#options
    const old = this.#segments.slice(from, to)
    const parts = old.map(({ meta, image }) => ({ segment: meta, memory: image.memory }))
    const range = { after: old[0]!.meta.after, upTo: old.at(-1)!.meta.upTo }
    const id = this.#nextId++
    try {
      const built = await this.#build({ id, parts, ...range, patient: true })
      const at = this.#segments.indexOf(old[0]!)
      // What was discarded meanwhile must not come back.
      if (old.some((segment, i) => this.#segments[at + i] !== segment)) {
        await this.#removeFiles([id])
        return true
      }
      const removed = old.flatMap(removedFrom)
      const next = built === undefined ? [] : [this.#attach(built)]
      this.#segments.splice(at, old.length, ...next)
      for (const segment of next) this.#copyRemovals(segment, removed)
      for (const { meta } of old) this.#readers.detach('segment', meta.id)
      log.info({ merged: old.length, vectors: next[0]?.meta.shape.count ?? 0 }, 'index segments merged')
      await this.#commit(old.map(({ meta }) => meta.id))
      return true
    } catch (error) {
      await this.#removeFiles([id])
      if (isFault(error, 'INDEX_DAMAGED') && error.details.segment !== undefined)
        this.#discardFrom(Number(error.details.segment), error)
      else if (!this.#closed) log.error({ err: error, segments: old.length }, 'index segments not merged')
      return false
    }
  }

  async #build(
    request: Pick<BuildRequest, 'id' | 'after' | 'upTo' | 'patient'> & { parts: readonly BuildPart[] },
  ): Promise<Built | undefined> {
    const { dir, dim, failPoint } = this.#options
    const whole = { ...request, dir, dim, stop: this.#stop }
    const builder = new WorkerChannel(this.#spawn({ role: 'build', request: whole }))
    const built = await builder.only<Built | undefined>().finally(() => builder.exited)
    failPoint?.('segment built')
    return built
  }

  #attach({ meta, memory }: Built): Sealed {
    this.#readers.attach({ kind: 'segment', meta, memory })
    return { meta, image: imageOver(memory, meta.shape), dead: 0 }
  }

  #hold(built: Built): Sealed {
    const sealed = this.#attach(built)
    this.#segments.push(sealed)
    return sealed
  }

  #markDead(ord: number): boolean {
    const segment = this.#segments.find(({ meta }) => ord > meta.after && ord <= meta.upTo)
    if (segment === undefined) return false
    const row = rowOf(segment.image, ord)
    if (row < 0 || hasBit(segment.image.dead, row)) return false
    segment.image.dead[row >>> 5]! |= 1 << (row & 31)
    segment.dead++
    return true
  }

  /** What was removed while the segment was being built may be in it. */
  #copyRemovals({ meta }: Sealed, ords: readonly number[]): void {
    for (const ord of ords) if (ord > meta.after && ord <= meta.upTo) this.#markDead(ord)
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
      segments: this.#segments.map(({ meta }) => meta),
    }
  }

  /** Writes down what is, then removes the files of what is no more. One after the other, in order. */
  #commit(removed: readonly number[]): Promise<void> {
    const { dir, log, failPoint } = this.#options
    this.#committed = this.#committed.then(async () => {
      try {
        await writeManifest(dir, this.#manifest())
        failPoint?.('manifest written')
        await this.#removeFiles(removed)
        failPoint?.('segments removed')
      } catch (err) {
        // The list on disk is the former one, and so are the files that it needs.
        log.error({ err }, 'list of index segments not written')
      }
    })
    return this.#committed
  }

  async #removeFiles(ids: readonly number[]): Promise<void> {
    const paths = ids.flatMap(id =>
      (['image', 'rows', 'hnsw'] as const).flatMap(part => {
        const path = segmentPath(this.#options.dir, id, part)
        return [path, `${path}.tmp`]
      }),
    )
    await Promise.all(paths.map(path => rm(path, { force: true })))
  }

  /** The files of a segment were altered while it was in use: forgets it and all that came after it. */
  #discardFrom(id: number, reason: unknown): void {
    const at = this.#segments.findIndex(({ meta }) => meta.id === id)
    if (at < 0) return
    const dropped = this.#segments.splice(at)
    const { log } = this.#options
    const err = fault('INDEX_DAMAGED', `segment ${id} is not what was sealed`, { cause: reason })
    log.warn({ err, segments: dropped.length }, 'index segments discarded')
    this.#epoch++
    for (const block of this.#tail.clear()) this.#readers.detach('block', block.id)
    this.#sealWhen = this.#sealAt
    this.#lastOrd = this.#sealedUpTo = dropped[0]!.meta.after
    for (const { meta } of dropped) this.#readers.detach('segment', meta.id)
    void this.#commit(dropped.map(({ meta }) => meta.id))
  }
}

function lastOrdOf(slices: readonly RowSlice[]): number {
  const { block, to } = slices.at(-1)!
  return block.ords[to - 1]!
}

function removedIn(slices: readonly RowSlice[]): number[] {
  return slices.flatMap(({ block, from, to }) =>
    [...block.ords.subarray(from, to)].filter((_, i) => block.dead[from + i] === 1),
  )
}

function removedFrom({ image }: Sealed): number[] {
  return [...image.ords].filter((_, row) => hasBit(image.dead, row))
}
