import { availableParallelism } from 'node:os'
import { fault } from '@sightline/core'
import type { SharedMemory } from './kernel.ts'
import { MAX_THREADS } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import type { Holding, ReaderCall } from './segment-worker.ts'
import type { ThreadQuery } from './thread-search.ts'
import type { IndexHit } from './vector-index.ts'
import { type SpawnWorker, WorkerChannel } from './worker-channel.ts'

const DEFAULT_READERS = Math.max(1, Math.min(4, availableParallelism() - 1))

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
 * that died is replaced at the next call.
 */
export class ReaderPool {
  readonly #options: ReaderPoolOptions
  readonly #size: number
  readonly #holdings = new Map<string, Holding>()
  #readers: Reader[] = []
  #closed = false

  constructor(options: ReaderPoolOptions) {
    this.#options = options
    this.#size = Math.min(MAX_THREADS, options.readers ?? DEFAULT_READERS)
  }

  /** Reads a segment from its files. @throws INDEX_DAMAGED when they are missing or altered */
  async load(meta: SegmentMeta): Promise<SharedMemory> {
    return this.#call<SharedMemory>({ op: 'load', meta })
  }

  /** From now on every thread can search it. */
  attach(holding: Holding): void {
    this.#holdings.set(keyOf(holding.kind, idOf(holding)), holding)
    for (const reader of this.#readers) this.#tell(reader, { op: 'attach', holding })
  }

  detach(kind: Holding['kind'], id: number): void {
    this.#holdings.delete(keyOf(kind, id))
    for (const reader of this.#readers) this.#tell(reader, { op: 'detach', kind, id })
  }

  /**
   * @throws NOT_READY when the thread ended meanwhile: ask again. INDEX_DAMAGED, with `details.segment`, when the files of
   * a segment were altered.
   */
  search(query: ThreadQuery): Promise<IndexHit[]> {
    return this.#call<IndexHit[]>({ op: 'search', query })
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#readers.map(({ channel }) => channel.close()))
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
