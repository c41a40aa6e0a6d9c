import { join } from 'node:path'
import { type Clock, fault, isFault, type Service, type SightlineError, systemClock } from '@sightline/core'
import type { AppendResult, EmbeddedFrame, FrameFilter, RecordStore } from '../store/record-store.ts'
import { addSound } from './admission.ts'
import { Background } from './background.ts'
import { type NameTable, openNameTable } from './name-table.ts'
import { type OpenIndexOptions, openIndex } from './open-index.ts'
import { removeMissing } from './reconcile.ts'
import { Reopening } from './reopening.ts'
import { framesAfter, StoredNews } from './stored-news.ts'
import { taggedOrds } from './tagged-ords.ts'
import { Timings } from './timings.ts'
import type { IndexHit, IndexQuery, IndexStats, VectorIndex } from './vector-index.ts'

/** Frames added between two turns of the event loop while catching up. */
const CATCH_UP_FRAMES = 256
/** Searches that are remembered for the recall probe. */
const RECENT_QUERIES = 32
/** Catching up waits for the graph builder beyond so many vectors in the exact tail. */
const MAX_TAIL = 65_536

/** What the keeper needs of the ingest. */
export interface StoredFeed {
  /** Returns what ends the subscription. */
  on(event: 'stored', listener: (result: AppendResult) => void): () => void
}

export interface IndexKeeperOptions extends Omit<OpenIndexOptions, 'names'> {
  readonly store: RecordStore
  readonly ingest: StoredFeed
  readonly clock?: Clock | undefined
}

export interface KeeperStats extends IndexStats {
  /** Stored frames that were passed over since the start because another model made their vectors. */
  readonly otherModels: number
}

const NO_STATS: IndexStats = { vectors: 0, tail: 0, segments: 0, dead: 0, bytes: 0 }

/**
 * Keeps the index at what the store holds of the hub's model. The store is the truth: at start the index continues
 * from its `lastOrd`, and again whenever it has lost segments or news of a frame was missed.
 */
export class IndexKeeper implements Service {
  readonly name = 'index'
  readonly #options: IndexKeeperOptions
  #background = new Background()
  #names: NameTable | undefined
  #index: VectorIndex | undefined
  /** Newest ord that was looked at, and what `lastOrd` of the index was then. */
  #seen = 0
  #indexed = 0
  #otherModels = 0
  /** Whether searches may be answered: the index was complete at least once. */
  #filled = false
  #complete = false
  #changes = 0
  readonly #timings = new Timings()
  readonly #recent: IndexQuery[] = []
  readonly #news = new StoredNews()
  #working: Promise<void> | undefined
  #adding: Promise<void> = Promise.resolve()
  #unsubscribe: () => void = () => {}
  #stopped = false
  readonly #reopening: Reopening

  constructor(options: IndexKeeperOptions) {
    this.#options = options
    const { clock = systemClock, log } = options
    this.#reopening = new Reopening({ open: () => this.#openIndex(), clock, log })
  }

  /** False until the index holds all that is stored, and while it is filled again after damage. */
  get ready(): boolean {
    return this.#complete
  }

  /** Grows with whatever enters or leaves the index: answers of before may be out of date. */
  get changes(): number {
    return this.#changes
  }

  /** Up to 512 vectors that stand for all stored frames, see `Background`. */
  get background(): readonly Float32Array[] {
    return this.#background.vectors
  }

  /** Opens the index; filling it up goes on afterwards, see `ready` and `caughtUp`. */
  async start(): Promise<void> {
    const { settings, ingest, log } = this.#options
    this.#names = openNameTable(join(settings.dir, 'sources.json'), log)
    this.#unsubscribe = ingest.on('stored', ({ frames }) => {
      this.#news.take(frames, this.#seen)
      this.#work()
    })
    await this.#reopening.start()
  }

  /** @throws INDEX_UNAVAILABLE where the index lives elsewhere and cannot be reached */
  async #openIndex(): Promise<void> {
    if (this.#stopped) return
    const { store, log } = this.#options
    const { names, index } = await openIndex({ ...this.#options, names: this.#names! })
    this.#names = names
    this.#index = index
    this.#restart()
    log.info({ ...index.stats(), missing: store.lastOrd() - this.#seen }, 'index opened')
    this.#catchUp()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    await this.#reopening.stop()
    // Closing ends the building that filling may be waiting for.
    await Promise.all([this.#index?.close(), this.#working])
  }

  /** Resolves when the index holds all that was stored at the time of the call. */
  async caughtUp(): Promise<void> {
    this.#catchUp()
    await this.#working
  }

  /**
   * `exact`: compared with every vector.
   * @throws NOT_READY before the first filling is complete; INDEX_UNAVAILABLE; MODEL_DIM_MISMATCH
   */
  async search(
    vector: Float32Array,
    k: number,
    filter: FrameFilter = {},
    { exact = false } = {},
  ): Promise<IndexHit[]> {
    if (this.#names === undefined) throw notReady()
    const names = this.#names.filterOf(filter)
    const ords = filter.tag === undefined ? undefined : await taggedOrds(this.#options.store, filter.tag)
    if ([names.sources, names.labels, ords].some(part => part?.length === 0)) return []
    const query = { vector, k, filter: { ...names, ords }, exact }
    const startedAt = performance.now()
    const hits = await this.ask(query)
    this.#timings.record(performance.now() - startedAt)
    if (this.#recent.push(query) > RECENT_QUERIES) this.#recent.shift()
    return hits
  }

  /** The same in the index's own terms, and not counted among the searches: for those who watch it. */
  async ask(query: IndexQuery): Promise<IndexHit[]> {
    const index = this.#index
    this.#reopening.check()
    if (index === undefined || !this.#filled) throw notReady()
    const hits = await index.search(query)
    if (index.lastOrd < this.#indexed) this.#catchUp()
    return hits
  }

  /** The last searches, oldest first. */
  get recent(): readonly IndexQuery[] {
    return this.#recent
  }

  /** What searches took in the index, in milliseconds. */
  get timings(): Pick<Timings, 'percentile'> {
    return this.#timings
  }

  /** Deleted frames are not found any more when it resolves. */
  async remove(ords: readonly number[]): Promise<void> {
    // What is being added right now must be there to be removed.
    await this.#adding.catch(() => {})
    this.#background.remove(ords)
    try {
      await this.#index?.remove(ords)
    } catch (error) {
      if (!isFault(error, 'INDEX_UNAVAILABLE')) throw error
      // The store has them no more: that is compared before the index counts as complete again.
      this.#complete = false
      this.#catchUp()
    }
    this.#changes++
  }

  stats(): KeeperStats {
    return { ...(this.#index?.stats() ?? NO_STATS), otherModels: this.#otherModels }
  }

  /** Takes the index as it now is for the state to continue from. */
  #restart(): void {
    const { store, model } = this.#options
    this.#complete = false
    this.#changes++
    this.#seen = this.#indexed = this.#index!.lastOrd
    this.#background = new Background()
    this.#background.restore(this.#seen, ord => {
      const frame = store.frameByOrd(ord)
      return frame?.fingerprint === model.fingerprint ? frame.vector : undefined
    })
  }

  /** What is stored is compared with what was seen. */
  #catchUp(): void {
    this.#news.miss()
    this.#work()
  }

  #work(): void {
    if (this.#working !== undefined || this.#stopped || this.#index === undefined) return
    this.#working = this.#takeIn()
      .catch(error => {
        // They are in the store: the next stored frame finds the gap, which those that wait would hide.
        this.#news.drain()
        if (isFault(error, 'INDEX_UNAVAILABLE')) this.#lose(error)
        else this.#options.log.error({ err: error }, 'frames not indexed')
      })
      .finally(() => {
        this.#working = undefined
        // What came between the last look and now would else wait for the next stored frame.
        if (!this.#news.isEmpty) this.#work()
      })
  }

  /** What became of the last step is not known: the index is opened anew and says up to where it is filled. */
  #lose(error: SightlineError): void {
    const lost = this.#index
    this.#index = undefined
    this.#complete = false
    this.#reopening.lost(error)
    void lost?.close().catch(err => this.#options.log.warn({ err }, 'index not closed'))
  }

  /** Begins at once, so that what is stored is found at once where the index can do that. */
  async #takeIn(): Promise<void> {
    while (!this.#stopped) {
      if (this.#news.missed || this.#index!.lastOrd < this.#indexed) await this.#scan()
      else if (this.#news.isEmpty) return
      else await this.#add(this.#news.drain())
    }
  }

  async #scan(): Promise<void> {
    const { store, log } = this.#options
    const index = this.#index!
    this.#news.reset()
    if (index.lastOrd < this.#indexed) this.#restart()
    if (!this.#complete) await removeMissing({ store, index, log, stopped: () => this.#stopped })
    const from = this.#seen
    for (;;) {
      const portion = framesAfter(store, this.#seen, CATCH_UP_FRAMES)
      if (portion.length === 0) break
      await this.#add(portion)
      await turn()
      if (this.#stopped) return
      if (index.stats().tail >= MAX_TAIL) await index.settled()
      if (index.lastOrd < this.#indexed) this.#restart()
    }
    if (!this.#complete) log.info({ from, to: this.#seen }, 'index filled from the store')
    this.#filled = this.#complete = true
    this.#reopening.recovered()
  }

  /** @throws STORE_FAILED when a new name cannot be written down; nothing is then added. */
  async #add(frames: readonly EmbeddedFrame[]): Promise<void> {
    const fresh = frames.filter(frame => frame.ord > this.#seen)
    if (fresh.length === 0) return
    const entries = fresh
      .filter(frame => frame.fingerprint === this.#options.model.fingerprint)
      .map(({ ord, vector, capturedAt, ...frame }) => ({
        ord,
        vector,
        capturedAt,
        ...this.#names!.marksOf(frame),
      }))
    const seen = this.#seen
    // An answer from before is out of date from here on, and one from in between is when it is done.
    this.#changes++
    this.#adding = addSound(this.#index!, entries, this.#options.log).then(added => {
      for (const { ord, vector } of added) this.#background.add(ord, vector)
      this.#changes++
    })
    // What is stored meanwhile follows on these.
    this.#seen = fresh.at(-1)!.ord
    try {
      await this.#adding
    } catch (error) {
      this.#seen = seen
      throw error
    }
    this.#otherModels += fresh.length - entries.length
    this.#indexed = this.#index!.lastOrd
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function notReady() {
  return fault('NOT_READY', 'the index is still being filled from the store')
}
