import { fault, type Log } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import type { SavedSearches } from '../search/saved-searches.ts'
import type { DeletedFrames, FrameFilter, RecordStore } from '../store/record-store.ts'

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
  /** Kept hits of saved searches. */
  readonly savedSearchHits: number
  readonly nodes: number
  /** Hub time at which the oldest of the frames came, milliseconds since the epoch. */
  readonly receivedFrom: number | undefined
}

export interface EraserOptions {
  readonly store: Pick<
    RecordStore,
    'measureFrames' | 'measureIncidents' | 'deleteFrames' | 'deleteIncidents' | 'deleteNode' | 'nodes'
  >
  readonly index: Pick<IndexKeeper, 'remove'>
  readonly saved: Pick<SavedSearches, 'countHits' | 'forgetHits'>
  readonly log: Log
}

/**
 * Deletes what a filter names: frames with vectors, thumbnails, index entries and hits of saved searches, incidents with
 * reviews, and for a whole device what it said of itself. In small steps, each durable, so that devices and searches go on meanwhile; after a crash
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
    checkFilter(filter)
    const frames = await this.#frames(filter, upTo, signal)
    const incidents =
      upTo === undefined ? await this.#incidents(filter, signal) : { incidents: 0, reviews: 0 }
    const erased = { ...frames, ...incidents, nodes: await this.#nodes(filter, upTo) }
    const { receivedFrom: _, ...counts } = erased
    if (Object.values(counts).some(count => count > 0))
      this.#options.log.info({ filter, ...counts }, 'erased')
    return erased
  }

  /** What `erase` would delete. @throws API_BAD_REQUEST on a filter that names nothing */
  async measure(filter: FrameFilter): Promise<Erased> {
    checkFilter(filter)
    const { store, saved } = this.#options
    let sum = NO_FRAMES
    for (let after: number | undefined = 0; after !== undefined; ) {
      const step: DeletedFrames = store.measureFrames({ filter, after, rows: STEP })
      sum = added(sum, step, saved.countHits(step.ords))
      after = step.next
      await turn()
    }
    const incidents = isOfFrames(filter) ? { incidents: 0, reviews: 0 } : store.measureIncidents(filter)
    const known = store.nodes().some(({ site, node }) => site === filter.site && node === filter.node)
    return { ...sum, ...incidents, nodes: known && isWholeDevice(filter) ? 1 : 0 }
  }

  async #frames(
    filter: FrameFilter,
    upTo: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<FrameSums> {
    const { store, index, saved } = this.#options
    let sum = NO_FRAMES
    for (let after: number | undefined = 0; after !== undefined && !signal?.aborted; ) {
      const found: DeletedFrames = store.measureFrames({ filter, after, upTo, rows: STEP })
      const last = found.ords.at(-1)
      if (last !== undefined) {
        // Before the frames: by these numbers alone it is known which hits they are.
        const hits = await saved.forgetHits(found.ords)
        const step = await store.deleteFrames({ filter, after, upTo: last, rows: STEP })
        await index.remove(step.ords)
        sum = added(sum, step, hits)
        this.totals.frames += step.ords.length
        this.totals.bytes += step.bytes
      }
      after = found.next
      await turn()
    }
    return sum
  }

  async #incidents(
    filter: FrameFilter,
    signal: AbortSignal | undefined,
  ): Promise<Pick<Erased, 'incidents' | 'reviews'>> {
    const sum = { incidents: 0, reviews: 0 }
    if (isOfFrames(filter)) return sum
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
    const { site, node } = filter
    if (site === undefined || node === undefined || upTo !== undefined || !isWholeDevice(filter)) return 0
    return (await this.#options.store.deleteNode(site, node)) ? 1 : 0
  }
}

type FrameSums = Omit<Erased, 'incidents' | 'reviews' | 'nodes'>

const NO_FRAMES: FrameSums = {
  frames: 0,
  thumbnails: 0,
  bytes: 0,
  savedSearchHits: 0,
  receivedFrom: undefined,
}

function added(sum: FrameSums, step: DeletedFrames, hits: number): FrameSums {
  const times = [sum.receivedFrom, step.receivedFrom].filter(time => time !== undefined)
  return {
    frames: sum.frames + step.ords.length,
    thumbnails: sum.thumbnails + step.thumbnails,
    bytes: sum.bytes + step.bytes,
    savedSearchHits: sum.savedSearchHits + hits,
    receivedFrom: times.length === 0 ? undefined : Math.min(...times),
  }
}

/** @throws API_BAD_REQUEST on a filter that names nothing, or no time at all */
export function checkFilter(filter: FrameFilter): void {
  if (Object.values(filter).every(part => part === undefined))
    throw fault('API_BAD_REQUEST', 'a deletion must name a site, device, camera, time or rule')
  const { from, to } = filter
  // Nothing would be deleted, and whoever mixed them up would think that nothing was there.
  if (from !== undefined && to !== undefined && from >= to)
    throw fault('API_BAD_REQUEST', 'from: must lie before to')
}

/** A verdict is a frame's: a filter that names one says nothing of incidents. */
function isOfFrames({ rule, fired }: FrameFilter): boolean {
  return rule !== undefined || fired !== undefined
}

/** Whether the filter names one device, and all of it. */
export function isWholeDevice({ site, node, ...rest }: FrameFilter): boolean {
  return site !== undefined && node !== undefined && Object.values(rest).every(part => part === undefined)
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
