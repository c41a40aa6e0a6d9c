import { fault, isFault } from '@sightline/core'
import type { SegmentHeader } from './segment-header.ts'
import type { ReaderCall } from './segment-worker.ts'
import type { IndexFilter, IndexHit } from './vector-index.ts'
import { type SpawnWorker, WorkerChannel } from './worker-channel.ts'

/** The sealed segments, held and searched by a worker; a worker that died is replaced at the next call. */
export class SegmentReader {
  readonly #dir: string
  readonly #spawn: SpawnWorker
  #headers: SegmentHeader[] = []
  #channel: Promise<WorkerChannel> | undefined
  #closed = false

  constructor({ dir, spawn }: { dir: string; spawn: SpawnWorker }) {
    this.#dir = dir
    this.#spawn = spawn
  }

  /** @throws INDEX_DAMAGED when the files are missing or altered; the segment is then not held. */
  async load(header: SegmentHeader): Promise<void> {
    await this.#call({ op: 'load', header })
    this.#headers.push(header)
  }

  /**
   * Hits of the segments named by the ord that they follow.
   * @throws NOT_READY when the worker ended meanwhile: ask again. INDEX_DAMAGED, with the segment as `details.after`,
   * when its successor could not load one.
   */
  async search(
    after: readonly number[],
    query: Float32Array,
    k: number,
    filter: IndexFilter | undefined,
  ): Promise<IndexHit[]> {
    return this.#call({ op: 'search', after, query, k, filter })
  }

  async drop(after: readonly number[]): Promise<void> {
    this.#headers = this.#headers.filter(header => !after.includes(header.after))
    if (this.#channel !== undefined) await this.#call({ op: 'drop', after })
  }

  async close(): Promise<void> {
    this.#closed = true
    const channel = await this.#channel?.catch(() => undefined)
    await channel?.close()
  }

  async #call(call: ReaderCall): Promise<IndexHit[]> {
    return (await this.#ready()).call(call)
  }

  async #ready(): Promise<WorkerChannel> {
    if (this.#closed) throw fault('NOT_READY', 'the index is closed')
    const channel = this.#channel
    if (channel !== undefined && (await channel).open) return channel
    // Whoever comes first replaces it; the others find the replacement.
    if (this.#channel === channel) {
      this.#channel = this.#start()
      this.#channel.catch(() => {
        this.#channel = undefined
      })
    }
    return this.#ready()
  }

  async #start(): Promise<WorkerChannel> {
    const channel = new WorkerChannel(this.#spawn({ role: 'read', dir: this.#dir }))
    for (const header of this.#headers) {
      try {
        await channel.call({ op: 'load', header } satisfies ReaderCall)
      } catch (error) {
        await channel.close()
        if (!isFault(error, 'INDEX_DAMAGED')) throw error
        throw fault('INDEX_DAMAGED', error.message, { cause: error, details: { after: header.after } })
      }
    }
    return channel
  }
}
