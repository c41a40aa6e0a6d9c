import { join } from 'node:path'
import { type ClipModel, fault, type Log, type Service } from '@sightline/core'
import type { AppendResult, EmbeddedFrame, FrameFilter, RecordStore } from '../store/record-store.ts'
import { Background } from './background.ts'
import { openSegmentedIndex, type SegmentedIndexOptions } from './segmented-index.ts'
import { newSourceTable, openSourceTable, type SourceTable } from './source-table.ts'
import type { IndexEntry, IndexHit, IndexStats, VectorIndex } from './vector-index.ts'

/** Frames added between two turns of the event loop while catching up. */
const CATCH_UP_FRAMES = 256
/** Catching up waits for the graph builder beyond so many vectors in the exact tail. */
const MAX_TAIL = 65_536

/** What the keeper needs of the ingest. */
export interface StoredFeed {
  /** Returns what ends the subscription. */
  on(event: 'stored', listener: (result: AppendResult) => void): () => void
}

export interface IndexKeeperOptions {
  /** `dir` holds index files only and may be deleted while the hub is down. */
  readonly settings: Pick<SegmentedIndexOptions, 'dir' | 'sealAt' | 'spawn'>
  readonly store: RecordStore
  readonly ingest: StoredFeed
  readonly model: Pick<ClipModel, 'fingerprint' | 'dim'>
  readonly log: Log
}

export interface KeeperStats extends IndexStats {
  /** Stored frames that were passed over since the start because another model made their vectors. */
  readonly otherModels: number
}

/**
 * Keeps the index at what the store holds of the hub's model. The store is the truth: at start the index continues
 * from its `lastOrd`, and again whenever it has lost segments or news of a frame was missed.
 */
export class IndexKeeper implements Service {
  readonly name = 'index'
  readonly #options: IndexKeeperOptions
  #background = new Background()
  #sources: SourceTable | undefined
  #index: VectorIndex | undefined
  /** Newest ord that was looked at, and what `lastOrd` of the index was then. */
  #seen = 0
  #indexed = 0
  #otherModels = 0
  /** Whether searches may be answered: the index was complete at least once. */
  #filled = false
  #complete = false
  #catchingUp: Promise<void> | undefined
  #newsMeanwhile = false
  #unsubscribe: () => void = () => {}
  #stopped = false

  constructor(options: IndexKeeperOptions) {
    this.#options = options
  }

  /** False until the index holds all that is stored, and while it is filled again after damage. */
  get ready(): boolean {
    return this.#complete
  }

  /** Up to 512 vectors that stand for all stored frames, see `Background`. */
  get background(): readonly Float32Array[] {
    return this.#background.vectors
  }

  /** Opens the index; filling it up goes on afterwards, see `ready` and `caughtUp`. */
  async start(): Promise<void> {
    const { settings, store, ingest, log } = this.#options
    const table = join(settings.dir, 'sources.json')
    this.#sources = openSourceTable(table, log)
    this.#index = await this.#open(this.#sources)
    const newest = store.recent({}, 1)[0]?.ord ?? 0
    if (this.#index.lastOrd > newest) {
      log.warn({ indexed: this.#index.lastOrd, stored: newest }, 'index is ahead of the store: rebuilt')
      await this.#index.close()
      this.#sources = newSourceTable(table)
      this.#index = await this.#open(this.#sources)
    }
    this.#restart()
    this.#unsubscribe = ingest.on('stored', result => this.#take(result.frames))
    log.info({ ...this.#index.stats(), missing: newest - this.#seen }, 'index opened')
    this.#catchUp()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    await this.#catchingUp
    await this.#index?.close()
  }

  /** Resolves when the index holds all that was stored at the time of the call. */
  async caughtUp(): Promise<void> {
    this.#catchUp()
    while (this.#catchingUp !== undefined) await this.#catchingUp
  }

  /** @throws NOT_READY before the first filling is complete; MODEL_DIM_MISMATCH */
  async search(vector: Float32Array, k: number, filter: FrameFilter = {}): Promise<IndexHit[]> {
    if (this.#index === undefined || this.#sources === undefined || !this.#filled)
      throw fault('NOT_READY', 'the index is still being filled from the store')
    const sources = this.#sources.matching(filter)
    if (sources?.length === 0) return []
    const hits = await this.#index.search(vector, k, { sources, from: filter.from, to: filter.to })
    if (this.#index.lastOrd < this.#indexed) this.#catchUp()
    return hits
  }

  stats(): KeeperStats {
    const stats = this.#index?.stats() ?? { vectors: 0, tail: 0, segments: 0 }
    return { ...stats, otherModels: this.#otherModels }
  }

  #open(sources: SourceTable): Promise<VectorIndex> {
    const { settings, model, log } = this.#options
    const { fingerprint, dim } = model
    return openSegmentedIndex({ ...settings, fingerprint, dim, generation: sources.generation, log })
  }

  /** Takes the index as it now is for the state to continue from. */
  #restart(): void {
    const { store, model } = this.#options
    this.#complete = false
    this.#seen = this.#indexed = this.#index!.lastOrd
    this.#background = new Background()
    this.#background.restore(this.#seen, ord => {
      const frame = store.frameByOrd(ord)
      return frame?.fingerprint === model.fingerprint ? frame.vector : undefined
    })
  }

  /** Adds what was just stored when it follows at once on what is known, else reads the gap from the store. */
  #take(frames: readonly EmbeddedFrame[]): void {
    if (frames.length === 0) return
    const follows = frames.every((frame, i) => frame.ord === this.#seen + 1 + i)
    const sound = this.#catchingUp === undefined && this.#index!.lastOrd >= this.#indexed
    try {
      if (follows && sound) this.#add(frames)
      else this.#catchUp()
    } catch (err) {
      // They are in the store: the next stored frame finds the gap.
      this.#options.log.error({ err, frames: frames.length }, 'frames not indexed')
    }
  }

  #catchUp(): void {
    if (this.#stopped || this.#index === undefined) return
    this.#newsMeanwhile = this.#catchingUp !== undefined
    this.#catchingUp ??= this.#scan()
      .catch(err => this.#options.log.error({ err }, 'index not filled'))
      .finally(() => {
        this.#catchingUp = undefined
        if (this.#newsMeanwhile) this.#catchUp()
      })
  }

  async #scan(): Promise<void> {
    const { store, log } = this.#options
    const index = this.#index!
    if (index.lastOrd < this.#indexed) this.#restart()
    const from = this.#seen
    for (let portion = this.#next(store); portion.length > 0; portion = this.#next(store)) {
      this.#add(portion)
      await new Promise(resolve => setImmediate(resolve))
      if (this.#stopped) return
      if (index.stats().tail >= MAX_TAIL) await index.settled()
      if (index.lastOrd < this.#indexed) this.#restart()
    }
    if (!this.#complete) log.info({ from, to: this.#seen }, 'index filled from the store')
    this.#filled = this.#complete = true
  }

  #next(store: RecordStore): EmbeddedFrame[] {
    const portion: EmbeddedFrame[] = []
    for (const frame of store.scan(this.#seen)) if (portion.push(frame) === CATCH_UP_FRAMES) break
    return portion
  }

  /** @throws STORE_FAILED when a new source cannot be written down; nothing is then added. */
  #add(frames: readonly EmbeddedFrame[]): void {
    const entries = frames
      .filter(frame => frame.fingerprint === this.#options.model.fingerprint)
      .map(({ ord, vector, capturedAt, ...frame }) => ({
        ord,
        vector,
        capturedAt,
        source: this.#sources!.numberOf(frame),
      }))
    for (const entry of entries) this.#addOne(entry)
    this.#otherModels += frames.length - entries.length
    this.#seen = Math.max(this.#seen, frames.at(-1)!.ord)
    this.#indexed = this.#index!.lastOrd
  }

  /** One at a time: a vector that the index refuses must not keep its neighbours out. */
  #addOne(entry: IndexEntry): void {
    try {
      this.#index!.add([entry])
      this.#background.add(entry.ord, entry.vector)
    } catch (err) {
      this.#options.log.error({ err, ord: entry.ord }, 'frame not indexed')
    }
  }
}
