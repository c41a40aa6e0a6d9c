import { statfsSync } from 'node:fs'
import { type Clock, fault } from '@sightline/core'

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

  /** @throws STORE_FAILED below the watermark */
  check(): void {
    const now = this.#clock.monotonic()
    if (now - this.#checkedAt >= RECHECK_MS) {
      const { bavail, bsize } = statfsSync(this.#dir)
      this.#freeBytes = bavail * bsize
      this.#checkedAt = now
    }
    if (this.#freeBytes < this.#minFreeBytes) {
      throw fault(
        'STORE_FAILED',
        `${this.#freeBytes} bytes free in ${this.#dir}, store.minFreeBytes is ${this.#minFreeBytes}`,
      )
    }
  }
}
