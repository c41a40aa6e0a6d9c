import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@sightline/core'

const CHECK_EVERY_MS = 1000
/**
 * Pages of the file that are left unused when the disk is scarce: LMDB copies the pages that it changes and wants free ones
 * in a row for a record. Tables without any record take their part of it.
 */
const SPARE_BYTES = 1024 * 1024
const SPARE_SHARE = 1 / 8
/** Of the file and of what is left of the disk; lets an outbox that is almost empty pass frames on while the disk is scarce. */
const LEFT_SHARE = 1 / 4

/** Free bytes of the disk that holds `dir`, for an ordinary user. */
export async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize
}

export interface DiskSpaceOptions {
  readonly dir: string
  readonly minFreeBytes: number
  readonly clock: Clock
  readonly freeBytes: (dir: string) => Promise<number>
}

/**
 * Keeps the outbox from growing on a full disk. LMDB ends the process when it cannot write, so that must not be found
 * out; its file never shrinks, but the pages of deleted records are used again.
 */
export class DiskSpace {
  readonly #options: DiskSpaceOptions
  #checkedMs = Number.NEGATIVE_INFINITY
  #ceilingBytes = Number.POSITIVE_INFINITY
  #vitalCeilingBytes = Number.POSITIVE_INFINITY

  constructor(options: DiskSpaceOptions) {
    this.#options = options
  }

  /** What the records may take up together: no more than the file as it was when space became scarce, less what is spared. */
  get ceilingBytes(): number {
    return this.#ceilingBytes
  }

  /** The same with incidents, which may also use a part of what is left of the disk. */
  get vitalCeilingBytes(): number {
    return this.#vitalCeilingBytes
  }

  /** Looks again when the last look is older than a second. */
  async refresh(usedBytes: number): Promise<void> {
    const { dir, clock, freeBytes, minFreeBytes } = this.#options
    if (clock.monotonic() - this.#checkedMs < CHECK_EVERY_MS) return
    this.#checkedMs = clock.monotonic()
    const free = await freeBytes(dir)
    if (free >= minFreeBytes) {
      this.#ceilingBytes = Number.POSITIVE_INFINITY
      this.#vitalCeilingBytes = Number.POSITIVE_INFINITY
      return
    }
    const { size } = await stat(join(dir, 'data.mdb'))
    const spareBytes = Math.max(SPARE_BYTES, size * SPARE_SHARE)
    // A disk may fill up before the next look: what is promised here must fit into the file as it is.
    const allowanceBytes = Math.min(size, free) * LEFT_SHARE
    this.#ceilingBytes = Math.max(Math.min(this.#ceilingBytes, size - spareBytes), allowanceBytes)
    const growsToBytes = free > SPARE_BYTES ? usedBytes + free * LEFT_SHARE : 0
    this.#vitalCeilingBytes = Math.max(size - spareBytes / 2, size / 2, growsToBytes)
  }
}
