import { fault, thumbnail } from '@sightline/core'
import type { QueryVectors } from '../search/query-vectors.ts'
import type { Frame, RecordStore } from '../store/record-store.ts'
import type { Ingest } from './ingest.ts'

/** Of frames that nobody numbers: one running count a node. */
const DEFAULT_SESSION = '00000000000000000000IMPORT'
/** Requests that wait for their turn. */
const MAX_WAITING = 8

export interface ImportItem {
  readonly image?: Uint8Array | undefined
  readonly vector?: Float32Array | undefined
  /** Milliseconds since the epoch. */
  readonly capturedAt: number
  /** Number within the session; default: the next free one. */
  readonly seq?: number | undefined
  readonly tags?: readonly string[] | undefined
}

export interface ImportTarget {
  readonly site: string
  readonly node: string
  readonly camera: string
  /** ULID; with numbered items, sending them again changes nothing. */
  readonly session?: string | undefined
}

export interface ImporterOptions {
  readonly store: Pick<RecordStore, 'stored'>
  readonly ingest: Pick<Ingest, 'import'>
  readonly vectors: QueryVectors
}

/** Pictures and vectors that no camera has sent, into the store as frames like all others. Rules do not judge them. */
export class Importer {
  readonly #options: ImporterOptions
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(options: ImporterOptions) {
    this.#options = options
  }

  /**
   * Durable when it resolves, with the new frames and how many were there already.
   * @throws API_BUSY, API_BAD_REQUEST, IMAGE_*, MODEL_DIM_MISMATCH, PAYLOAD_INVALID, STORE_FAILED, TAG_LIMIT: nothing is then stored
   */
  async import(
    target: ImportTarget,
    items: readonly ImportItem[],
  ): Promise<{ frames: readonly Frame[]; duplicates: number }> {
    if (this.#waiting >= MAX_WAITING) throw fault('API_BUSY', `${MAX_WAITING} imports are under way`)
    this.#waiting++
    // One after the other: each takes its numbers from where the one before ended.
    const turn = this.#turn.catch(() => {}).then(() => this.#import(target, items))
    this.#turn = turn
    return turn.finally(() => {
      this.#waiting--
    })
  }

  async #import(
    { site, node, camera, session = DEFAULT_SESSION }: ImportTarget,
    items: readonly ImportItem[],
  ) {
    const { store, ingest, vectors } = this.#options
    const { upTo, ranges } = store.stored(site, node, session)
    let next = Math.max(upTo, ranges.at(-1)?.[1] ?? 0) + 1
    const frames = []
    for (const [i, { image, vector, capturedAt, seq, tags }] of items.entries()) {
      if (!(capturedAt >= 0)) throw fault('API_BAD_REQUEST', `item ${i}: captured before 1970`)
      const embedded = await vectors.embed({ image, vector })
      const small = image === undefined ? undefined : await thumbnail(Buffer.from(image))
      frames.push({
        ...{ camera, capturedAt, verdicts: [], vector: embedded.vector },
        seq: seq ?? next++,
        thumbnail: small,
        tags,
      })
    }
    const { fingerprint } = vectors.model
    return ingest.import({
      ...{ site, node, session, fingerprint, frames },
      historical: true,
      events: [],
      skipped: [],
    })
  }
}
