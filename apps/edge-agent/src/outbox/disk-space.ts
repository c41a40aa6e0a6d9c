import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@sightline/core'

const CHECK_EVERY_MS = 1000
/** What the file takes without any record, generously. */
const TABLES_BYTES = 256 * 1024

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

  /** What the records may take up together: no more than when space became scarce, or than half of the file. */
  get ceilingBytes(): number {
    return this.#ceilingBytes
  }

  /** The same with incidents, which may also use half of what is left of the disk. */
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
    if (this.#ceilingBytes === Number.POSITIVE_INFINITY)
      this.#ceilingBytes = Math.max(usedBytes, size / 2 - TABLES_BYTES)
    this.#vitalCeilingBytes = Math.max((size * 3) / 4 - TABLES_BYTES, usedBytes + free / 2)
  }
}
