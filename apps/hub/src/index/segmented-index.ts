import { mkdir } from 'node:fs/promises'
import { fault, isFault, type Log, messageOf } from '@sightline/core'
import { admissible, checkVector } from './admission.ts'
import { scanRows } from './flat-index.ts'
import { removeAllBut, removeSegment } from './segment-file.ts'
import { readChain, type SegmentHeader } from './segment-header.ts'
import { SegmentReader } from './segment-reader.ts'
import type { IndexEntry, IndexFilter, IndexHit, IndexStats, VectorIndex } from './vector-index.ts'
import { VectorRows } from './vector-rows.ts'
import { type SpawnWorker, spawnSegmentWorker, WorkerChannel } from './worker-channel.ts'

const DEFAULT_SEAL_AT = 4096
/** A backlog is sealed into fewer, larger segments: up to so many times `sealAt`. */
const MAX_SEAL_FACTOR = 16
/** Searches that meet a dying worker start again on its successor. */
const MAX_ATTEMPTS = 3

export interface SegmentedIndexOptions {
  /** Holds the segments and nothing else that starts with `segment-`. Created when missing. */
  readonly dir: string
  readonly dim: number
  /** Segments of another model are discarded. */
  readonly fingerprint: string
  /** Segments of another generation are discarded: their source numbers mean something else. Default: empty. */
  readonly generation?: string | undefined
  readonly log: Log
  /** Vectors in the exact tail that are sealed into a graph. Default 4096. */
  readonly sealAt?: number | undefined
  /** How a worker is started; tests watch and end workers through this. */
  readonly spawn?: SpawnWorker | undefined
}

/**
 * Opens what was sealed. A segment that is damaged or missing is discarded with all later ones: `lastOrd` is one
 * watermark, so whoever adds continues from the last sound segment and the store fills in the rest.
 */
export async function openSegmentedIndex(options: SegmentedIndexOptions): Promise<SegmentedIndex> {
  const { dir, dim, fingerprint, generation = '', log } = options
  await mkdir(dir, { recursive: true })
  const index = new SegmentedIndex(options)
  const damaged = (reason: string) =>
    log.warn({ err: fault('INDEX_DAMAGED', reason) }, 'index segments discarded')
  const chain = readChain(dir, damaged)
  const foreign = chain.findIndex(
    header => header.fingerprint !== fingerprint || header.generation !== generation || header.dim !== dim,
  )
  if (foreign >= 0) {
    log.info({ segments: chain.length - foreign }, 'index segments of another model discarded')
    chain.splice(foreign)
  }
  await index.restore(chain, damaged)
  return index
}

/**
 * New vectors are in an exact tail, searchable at once; full tails become HNSW segments in a worker while adding and
 * searching go on. A search reads the list of segments and a snapshot of the tail in one step, and a sealed tail
 * becomes a segment in one step, so that every vector is seen exactly once.
 */
export class SegmentedIndex implements VectorIndex {
  readonly dim: number
  readonly #options: SegmentedIndexOptions
  readonly #spawn: SpawnWorker
  readonly #sealAt: number
  readonly #reader: SegmentReader
  readonly #segments: SegmentHeader[] = []
  #tail: VectorRows
  #lastOrd = 0
  #sealWhen: number
  #sealing: Promise<void> | undefined
  /** Shared with the builder, see `SealRequest`. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4))
  /** Grows whenever segments are discarded; a seal begun before that is void. */
  #epoch = 0
  #closed = false

  /** For `openSegmentedIndex`. */
  constructor(options: SegmentedIndexOptions) {
    this.dim = options.dim
    this.#options = options
    this.#spawn = options.spawn ?? spawnSegmentWorker
    this.#sealAt = options.sealAt ?? DEFAULT_SEAL_AT
    this.#sealWhen = this.#sealAt
    this.#reader = new SegmentReader({ dir: options.dir, spawn: this.#spawn })
    this.#tail = new VectorRows(options.dim)
  }

  get lastOrd(): number {
    return this.#lastOrd
  }

  /** Loads the chain as far as it is sound and removes all other segment files. */
  async restore(chain: readonly SegmentHeader[], damaged: (reason: string) => void): Promise<void> {
    for (const header of chain) {
      try {
        await this.#reader.load(header)
      } catch (error) {
        if (!isFault(error, 'INDEX_DAMAGED')) throw error
        damaged(error.message)
        break
      }
      this.#segments.push(header)
      this.#lastOrd = header.lastOrd
    }
    removeAllBut(this.#options.dir, this.#segments)
  }

  add(entries: readonly IndexEntry[]): void {
    for (const entry of admissible(entries, this.dim, this.#lastOrd)) {
      this.#tail.append(entry)
      this.#lastOrd = entry.ord
    }
    this.#sealIfFull()
  }

  async search(query: Float32Array, k: number, filter?: IndexFilter): Promise<IndexHit[]> {
    checkVector(query, this.dim)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#searchOnce(query, k, filter)
      } catch (error) {
        if (isFault(error, 'INDEX_DAMAGED')) this.#discardFrom(Number(error.details.after), error.message)
        else if (!isFault(error, 'NOT_READY')) throw error
        if (this.#closed || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }

  async #searchOnce(query: Float32Array, k: number, filter: IndexFilter | undefined): Promise<IndexHit[]> {
    const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter ?? {}
    const after = this.#segments
      .filter(({ capturedFrom, capturedTo }) => capturedTo >= from && capturedFrom < to)
      .map(header => header.after)
    const tail = this.#tail.snapshot()
    const [sealed, fresh] = await Promise.all([
      after.length === 0 ? [] : this.#reader.search(after, query, k, filter),
      scanRows(tail, query, k, filter),
    ])
    return [...fresh, ...sealed].sort((a, b) => b.similarity - a.similarity || b.ord - a.ord).slice(0, k)
  }

  stats(): IndexStats {
    const sealed = this.#segments.reduce((sum, { count }) => sum + count, 0)
    const tail = this.#tail.count
    return { vectors: sealed + tail, tail, segments: this.#segments.length }
  }

  async settled(): Promise<void> {
    while (this.#sealing !== undefined) await this.#sealing
  }

  /** A seal under way is abandoned: the store still has its vectors. */
  async close(): Promise<void> {
    this.#closed = true
    Atomics.store(this.#stop, 0, 1)
    await this.settled()
    await this.#reader.close()
  }

  #sealIfFull(): void {
    if (this.#closed || this.#sealing !== undefined || this.#tail.count < this.#sealWhen) return
    const count = Math.min(this.#tail.count, this.#sealAt * MAX_SEAL_FACTOR)
    this.#sealing = this.#seal(count).finally(() => {
      this.#sealing = undefined
      this.#sealIfFull()
    })
  }

  async #seal(count: number): Promise<void> {
    const { dir, dim, fingerprint, generation = '', log } = this.#options
    const epoch = this.#epoch
    const after = this.#segments.at(-1)?.lastOrd ?? 0
    try {
      const slices = this.#tail.snapshot(count)
      const request = { dir, slices, base: { fingerprint, generation, dim, after }, stop: this.#stop }
      const builder = new WorkerChannel(this.#spawn({ role: 'build', request }))
      const header = await builder.only<SegmentHeader>().finally(() => builder.exited)
      await this.#reader.load(header)
      if (epoch !== this.#epoch) {
        await this.#reader.drop([after])
        return removeSegment(dir, after)
      }
      this.#segments.push(header)
      this.#tail.trim(count)
      this.#sealWhen = this.#sealAt
      log.info({ vectors: count, segments: this.#segments.length }, 'index segment sealed')
    } catch (err) {
      // The tail keeps its vectors and is searched exactly; the next attempt waits for as many again.
      this.#sealWhen = this.#tail.count + this.#sealAt
      removeSegment(dir, after)
      if (!this.#closed) log.error({ err, vectors: count }, 'index segment not sealed')
    }
  }

  /** The files of a segment were altered while it was in use: forgets it and all that came after it. */
  #discardFrom(after: number, reason: string): void {
    const index = this.#segments.findIndex(header => header.after === after)
    if (index < 0) return
    const dropped = this.#segments.splice(index)
    const { dir, log } = this.#options
    log.warn({ err: fault('INDEX_DAMAGED', reason), segments: dropped.length }, 'index segments discarded')
    this.#epoch++
    this.#tail = new VectorRows(this.dim)
    this.#sealWhen = this.#sealAt
    this.#lastOrd = this.#segments.at(-1)?.lastOrd ?? 0
    removeAllBut(dir, this.#segments)
    this.#reader
      .drop(dropped.map(header => header.after))
      .catch(error =>
        log.debug({ reason: messageOf(error) }, 'index worker ended before it dropped segments'),
      )
  }
}
