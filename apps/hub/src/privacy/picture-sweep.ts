import { blurredThumbnail, type Clock, type Log, messageOf } from '@sightline/core'
import type { PictureChange, RecordStore, StoredPicture } from '../store/record-store.ts'
import type { PictureRules } from './settings.ts'

const DAY_MS = 86_400_000
/** Thumbnails looked at between two turns of the event loop. */
const STEP = 256

export interface PictureSweepOptions {
  readonly rules: Pick<PictureRules, 'of' | 'keepAll'>
  readonly store: Pick<RecordStore, 'pictures' | 'putPictures' | 'thumbnail'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/**
 * Makes stored thumbnails what their sites allow by now: those that are too old or not allowed go, those that may only be
 * blurred are blurred. Frames, vectors and index stay. In small steps, each durable.
 */
export class PictureSweep {
  readonly #options: PictureSweepOptions
  /** Since the start. */
  readonly totals = { removed: 0, blurred: 0 }

  constructor(options: PictureSweepOptions) {
    this.#options = options
  }

  /** One pass over everything. @throws STORE_FAILED */
  async sweep(signal?: AbortSignal): Promise<void> {
    const { rules, store, log } = this.#options
    if (rules.keepAll) return
    let [removed, blurred] = [0, 0]
    for (let after = 0; signal?.aborted !== true; ) {
      const page = store.pictures(after, STEP)
      if (page.length === 0) break
      const changes: PictureChange[] = []
      for (const picture of page) {
        const change = await this.#changeOf(picture)
        if (change !== undefined) changes.push(change)
      }
      if (changes.length > 0) await store.putPictures(changes)
      const gone = changes.filter(({ thumbnail }) => thumbnail === undefined).length
      removed += gone
      blurred += changes.length - gone
      this.totals.removed += gone
      this.totals.blurred += changes.length - gone
      after = page.at(-1)!.ord
      await new Promise(resolve => setImmediate(resolve))
    }
    if (removed + blurred > 0) log.info({ removed, blurred }, 'thumbnails brought to policy')
  }

  async #changeOf({ ord, id, site, capturedAt, blurred }: StoredPicture): Promise<PictureChange | undefined> {
    const { rules, store, clock, log } = this.#options
    const { policy, days } = rules.of(site)
    const expired = days > 0 && capturedAt < clock.now() - days * DAY_MS
    if (policy === 'none' || expired) return { ord, thumbnail: undefined }
    if (policy === 'full' || blurred) return undefined
    const bytes = store.thumbnail(id)
    if (bytes === undefined) return undefined
    try {
      return { ord, thumbnail: await blurredThumbnail(new Uint8Array(bytes)) }
    } catch (error) {
      // What cannot be blurred must not be shown.
      log.warn({ id, reason: messageOf(error) }, 'thumbnail not readable, removed')
      return { ord, thumbnail: undefined }
    }
  }
}
