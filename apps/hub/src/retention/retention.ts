import type { Clock, Log, Service } from '@sightline/core'
import type { PictureSweep } from '../privacy/picture-sweep.ts'
import type { CameraName, RecordStore } from '../store/record-store.ts'
import type { Eraser } from './eraser.ts'

const DAY_MS = 86_400_000
const SWEEP_EVERY_MS = 3_600_000
/** Numbers read between two turns of the event loop. */
const PAGE = 4096

export interface RetentionOptions {
  readonly settings: {
    /** Frames and incidents older than this are deleted; 0: never. */
    readonly days: number
    /** The oldest frames of a camera beyond so many are deleted; 0: never. */
    readonly maxFramesPerCamera: number
  }
  readonly store: Pick<RecordStore, 'cameras' | 'ords'>
  readonly eraser: Pick<Eraser, 'erase'>
  /** Keeps thumbnails to their sites' policies. */
  readonly pictures: Pick<PictureSweep, 'sweep'>
  readonly clock: Clock
  readonly log: Log
}

/** Deletes in the background, at the start and then every hour, what is older or more than is to be kept. */
export class Retention implements Service {
  readonly name = 'retention'
  readonly #options: RetentionOptions
  readonly #ending = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  /** One pass over everything. */
  async sweep(): Promise<void> {
    const { settings, eraser, store, pictures, clock } = this.#options
    const { signal } = this.#ending
    if (settings.days > 0) await eraser.erase({ to: clock.now() - settings.days * DAY_MS }, { signal })
    await pictures.sweep(signal)
    if (settings.maxFramesPerCamera === 0) return
    for (const camera of store.cameras()) {
      if (signal.aborted) return
      const upTo = await this.#newestBeyond(camera, settings.maxFramesPerCamera)
      if (upTo !== undefined) await eraser.erase(camera, { upTo, signal })
    }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#ending
    while (!signal.aborted) {
      await this.sweep().catch(err => log.error({ err }, 'retention failed, tried again in an hour'))
      await clock.sleep(SWEEP_EVERY_MS, signal).catch(() => {})
    }
  }

  /** The newest frame of the camera that is too many, if one is. */
  async #newestBeyond(camera: CameraName, quota: number): Promise<number | undefined> {
    const { store } = this.#options
    let upTo = Number.MAX_SAFE_INTEGER
    for (let left = quota + 1; ; ) {
      const limit = Math.min(PAGE, left)
      const page = store.ords({ camera, upTo, newestFirst: true, limit })
      left -= page.length
      if (left === 0) return page.at(-1)
      if (page.length < limit) return undefined
      upTo = page.at(-1)! - 1
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}
