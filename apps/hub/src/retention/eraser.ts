import { type Address, fault, type Log } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import type { FrameFilter, RecordStore } from '../store/record-store.ts'

/** Frames looked at, and incidents deleted, between two turns of the event loop. */
const STEP = 512

/** What was deleted for good. */
export interface Erased {
  readonly frames: number
  readonly thumbnails: number
  /** Of vectors and thumbnails. */
  readonly bytes: number
  readonly incidents: number
  readonly reviews: number
  readonly nodes: number
}

export interface EraserOptions {
  readonly store: Pick<RecordStore, 'deleteFrames' | 'deleteIncidents' | 'deleteNode'>
  readonly index: Pick<IndexKeeper, 'remove'>
  /** What else is known of devices: their reports, and the pictures and logs that they answered commands with. */
  readonly fleet: { forget(address: Address): Promise<void> }
  readonly log: Log
}

/**
 * Deletes what a filter names: frames with vectors, thumbnails and index entries, incidents with reviews, and for a whole
 * device what it said of itself. In small steps, each durable, so that devices and searches go on meanwhile; after a crash
 * the same call goes on where it stopped.
 */
export class Eraser {
  readonly #options: EraserOptions
  /** Since the start. */
  readonly totals = { frames: 0, bytes: 0 }

  constructor(options: EraserOptions) {
    this.#options = options
  }

  /**
   * @param upTo newest number of a frame that may be deleted
   * @throws API_BAD_REQUEST on a filter that names nothing, STORE_FAILED
   */
  async erase(
    filter: FrameFilter,
    { upTo, signal }: { upTo?: number; signal?: AbortSignal } = {},
  ): Promise<Erased> {
    if (Object.values(filter).every(part => part === undefined))
      throw fault('API_BAD_REQUEST', 'a deletion must name a site, device, camera, time or rule')
    const { log } = this.#options
    const frames = await this.#frames(filter, upTo, signal)
    const incidents =
      upTo === undefined ? await this.#incidents(filter, signal) : { incidents: 0, reviews: 0 }
    const erased = { ...frames, ...incidents, nodes: await this.#nodes(filter, upTo) }
    if (Object.values(erased).some(count => count > 0)) log.info({ filter, ...erased }, 'erased')
    return erased
  }

  async #frames(
    filter: FrameFilter,
    upTo: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Pick<Erased, 'frames' | 'thumbnails' | 'bytes'>> {
    const { store, index } = this.#options
    const sum = { frames: 0, thumbnails: 0, bytes: 0 }
    for (let after: number | undefined = 0; after !== undefined && !signal?.aborted; ) {
      const step = await store.deleteFrames({ filter, after, upTo, rows: STEP })
      if (step.ords.length > 0) await index.remove(step.ords)
      sum.frames += step.ords.length
      sum.thumbnails += step.thumbnails
      sum.bytes += step.bytes
      this.totals.frames += step.ords.length
      this.totals.bytes += step.bytes
      after = step.next
      await turn()
    }
    return sum
  }

  /** A verdict is a frame's: a filter that names one says nothing of incidents. */
  async #incidents(
    filter: FrameFilter,
    signal: AbortSignal | undefined,
  ): Promise<Pick<Erased, 'incidents' | 'reviews'>> {
    const sum = { incidents: 0, reviews: 0 }
    if (filter.rule !== undefined || filter.fired !== undefined) return sum
    for (let more = true; more && !signal?.aborted; ) {
      const step = await this.#options.store.deleteIncidents(filter, STEP)
      sum.incidents += step.incidents
      sum.reviews += step.reviews
      more = step.more
      await turn()
    }
    return sum
  }

  async #nodes(filter: FrameFilter, upTo: number | undefined): Promise<number> {
    const { site, node, ...rest } = filter
    if (site === undefined || node === undefined || upTo !== undefined) return 0
    if (Object.values(rest).some(part => part !== undefined)) return 0
    await this.#options.fleet.forget({ site, node })
    return (await this.#options.store.deleteNode(site, node)) ? 1 : 0
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
