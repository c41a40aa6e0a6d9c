import { statfsSync } from 'node:fs'
import { type Clock, fault, messageOf } from '@sightline/core'

const RECHECK_MS = 500

/** Refuses writes while the disk is nearly full: LMDB does not survive a disk that is quite full. */
export class DiskGuard {
  readonly #dir: string
  readonly #minFreeBytes: number
  readonly #clock: Clock
  #checkedAt = Number.NEGATIVE_INFINITY
  #freeBytes = 0

  constructor({ dir, minFreeBytes, clock }: { dir: string; minFreeBytes: number; clock: Clock }) {
    this.#dir = dir
    this.#minFreeBytes = minFreeBytes
    this.#clock = clock
  }

  /** @throws STORE_FAILED below the watermark, or when the directory is gone */
  check(): void {
    const now = this.#clock.monotonic()
    if (now - this.#checkedAt >= RECHECK_MS) {
      this.#freeBytes = this.#measure()
      this.#checkedAt = now
    }
    if (this.#freeBytes < this.#minFreeBytes) {
      throw fault(
        'STORE_FAILED',
        `${this.#freeBytes} bytes free in ${this.#dir}, store.minFreeBytes is ${this.#minFreeBytes}`,
      )
    }
  }

  #measure(): number {
    try {
      const { bavail, bsize } = statfsSync(this.#dir)
      return bavail * bsize
    } catch (cause) {
      throw fault('STORE_FAILED', `free space of ${this.#dir} is unknown: ${messageOf(cause)}`, { cause })
    }
  }
}
