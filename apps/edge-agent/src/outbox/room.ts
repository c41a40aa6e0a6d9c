import type { Clock } from '@sightline/core'
import { DiskSpace, freeBytesOf } from './disk-space.ts'
import { DROP_ORDER, type Ledger, type Totals } from './ledger.ts'

export interface OutboxLimits {
  /** Disk space of all records together. */
  readonly maxBytes: number
  /** Free disk space below which the file no longer grows. */
  readonly minFreeDiskBytes: number
}

export interface Need {
  /** Disk space that is needed. */
  readonly bytes: number
  /** Whether it is stored however little space there is. */
  readonly vital: boolean
}

export interface RoomOptions {
  readonly dir: string
  readonly limits: OutboxLimits
  readonly clock: Clock
  readonly freeBytes?: ((dir: string) => Promise<number>) | undefined
}

const LESS_THAN_VITAL = DROP_ORDER.filter(kind => kind !== 'event')

/** The ceilings of an outbox, of its bytes and of its disk, and what is given up below them. */
export class Room {
  readonly #maxBytes: number
  readonly #disk: DiskSpace

  constructor({ dir, limits, clock, freeBytes = freeBytesOf }: RoomOptions) {
    this.#maxBytes = limits.maxBytes
    this.#disk = new DiskSpace({ dir, clock, freeBytes, minFreeBytes: limits.minFreeDiskBytes })
  }

  /** Looks at the disk, at most once a second. */
  refresh(usedBytes: number): Promise<void> {
    return this.#disk.refresh(usedBytes)
  }

  /**
   * Drops the oldest of what matters less until `bytes` more are within the limits; within a write transaction. False when
   * even that does not help.
   */
  make(ledger: Ledger, totals: Totals, { bytes, vital }: Need): boolean {
    if (bytes === 0) return true
    const limitBytes = this.#maxBytes - bytes
    // Pages freed by a commit can be used only by the next one, hence room for twice the record.
    const roomOf = (ceilingBytes: number) => Math.min(limitBytes, ceilingBytes - 2 * bytes)
    const { ceilingBytes, vitalCeilingBytes } = this.#disk
    ledger.shrinkTo(totals, Math.max(0, roomOf(ceilingBytes)), LESS_THAN_VITAL)
    // A scarce disk costs no incident while there is any room left: what is kept free is more than they need.
    const roomBytes = roomOf(vital ? vitalCeilingBytes : ceilingBytes)
    if (roomBytes < 0) return false
    if (vital) ledger.shrinkTo(totals, roomBytes)
    return totals.bytes <= roomBytes
  }
}
