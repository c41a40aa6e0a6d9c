import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { fault } from '@sightline/core'
import type { SharedMemory } from './kernel.ts'
import { MAX_THREADS } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import type { ReaderCall } from './segment-worker.ts'
import { type Holding, type ThreadQuery, ThreadSearch } from './thread-search.ts'
import type { IndexHit } from './vector-index.ts'
import { type SpawnWorker, WorkerChannel } from './worker-channel.ts'

const DEFAULT_READERS = Math.max(1, Math.min(4, availableParallelism() - 1))

/** A search of so many elements of vectors (16,384 rows of 512), and of so many answers, takes three milliseconds at most. */
const BRIEF_ELEMENTS = 2 ** 23
const BRIEF_K = 256
/** One that took longer, since a disk was asked or the machine is slow, sends those after it to the threads. */
const LONG_MS = 10
const REST_MS = 1000

export interface ReaderPoolOptions {
  readonly dir: string
  readonly dim: number
  readonly spawn: SpawnWorker
  /** Threads that search; default: one less than there are cores, at most 4. */
  readonly readers?: number | undefined
}

interface Reader {
  readonly thread: number
  readonly channel: WorkerChannel
  /** Calls that it has not answered. */
  busy: number
}

/**
 * Threads that search. All see the same memory, so one more costs little: the second starts when the first is busy. One
 * that died is replaced at the next call. A brief search is answered here, one in each turn of the event loop: asking a
 * thread and waking up at its answer takes as long.
 */
export class ReaderPool {
  readonly #options: ReaderPoolOptions
  readonly #size: number
  readonly #holdings = new Map<string, Holding>()
  readonly #here: ThreadSearch
  #hereAgainMs = 0
  #readers: Reader[] = []
  #closed = false

  constructor(options: ReaderPoolOptions) {
    this.#options = options
    const thread = MAX_THREADS - 1
    this.#size = Math.min(thread, options.readers ?? DEFAULT_READERS)
    this.#here = new ThreadSearch({ dir: options.dir, dim: options.dim, thread })
  }

  /** Reads a segment from its files. @throws INDEX_DAMAGED when they are missing or altered */
  async load(meta: SegmentMeta): Promise<SharedMemory> {
    return this.#call<SharedMemory>({ op: 'load', meta })
  }

  /** From now on every thread can search it. */
  attach(holding: Holding): void {
    this.#holdings.set(keyOf(holding.kind, idOf(holding)), holding)
    this.#here.attach(holding)
    for (const reader of this.#readers) this.#tell(reader, { op: 'attach', holding })
  }

  detach(kind: Holding['kind'], id: number): void {
    this.#holdings.delete(keyOf(kind, id))
    this.#here.detach(kind, id)
    for (const reader of this.#readers) this.#tell(reader, { op: 'detach', kind, id })
  }

  /**
   * @throws NOT_READY when the thread ended meanwhile: ask again. INDEX_DAMAGED, with `details.segment`, when the files of
   * a segment were altered.
   */
  search(query: ThreadQuery): Promise<IndexHit[]> {
    return this.#isBrief(query) ? this.#answer(query) : this.#call<IndexHit[]>({ op: 'search', query })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#here.close()
    await Promise.all(this.#readers.map(({ channel }) => channel.close()))
  }

  #isBrief({ k, exact = false, segments, tail }: ThreadQuery): boolean {
    if (this.#closed || exact || k > BRIEF_K || performance.now() < this.#hereAgainMs) return false
    const rows =
      segments.reduce((sum, segment) => sum + segment.rows, 0) +
      tail.reduce((sum, { from, to }) => sum + to - from, 0)
    return rows * this.#options.dim <= BRIEF_ELEMENTS
  }

  async #answer(query: ThreadQuery): Promise<IndexHit[]> {
    const startMs = performance.now()
    this.#hereAgainMs = Number.POSITIVE_INFINITY
    try {
      return this.#here.run(query)
    } finally {
      const endMs = performance.now()
      await turn()
      this.#hereAgainMs = endMs - startMs > LONG_MS ? endMs + REST_MS : 0
    }
  }

  async #call<T>(call: ReaderCall): Promise<T> {
    if (this.#closed) throw fault('NOT_READY', 'the index is closed')
    const reader = this.#leastBusy()
    reader.busy++
    try {
      return await reader.channel.call<T>(call)
    } finally {
      reader.busy--
    }
  }

  #leastBusy(): Reader {
    this.#readers = this.#readers.filter(({ channel }) => channel.open)
    const idlest = this.#readers.reduce<Reader | undefined>(
      (best, reader) => (best === undefined || reader.busy < best.busy ? reader : best),
      undefined,
    )
    if (idlest !== undefined && (idlest.busy === 0 || this.#readers.length >= this.#size)) return idlest
    return this.#start()
  }

  #start(): Reader {
    const { dir, dim, spawn } = this.#options
    const taken = new Set(this.#readers.map(reader => reader.thread))
    let thread = 0
    while (taken.has(thread)) thread++
    const reader = { thread, busy: 0, channel: new WorkerChannel(spawn({ role: 'read', dir, dim, thread })) }
    this.#readers.push(reader)
    for (const holding of this.#holdings.values()) this.#tell(reader, { op: 'attach', holding })
    return reader
  }

  /** Calls are answered in order: what is told is known to every later search. What fails shows in those. */
  #tell({ channel }: Reader, call: ReaderCall): void {
    channel.call(call).catch(() => {})
  }
}

function idOf(holding: Holding): number {
  return holding.kind === 'segment' ? holding.meta.id : holding.id
}

function keyOf(kind: Holding['kind'], id: number): string {
  return `${kind} ${id}`
}
