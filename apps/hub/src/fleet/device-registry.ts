import type { Address } from '@sightline/core'

/** A device that has been enrolled; times are the hub's, in milliseconds since the epoch. */
export interface DeviceRecord extends Address {
  /** First enrolment. */
  readonly createdAt: number
  /** Latest enrolment. */
  readonly enrolledAt: number
  /** SHA-256 of its secret, hex. The secret itself is never stored. */
  readonly secretHash: string
  /** The secret before the rotation at `since`, good until `until` or until the new one is used. */
  readonly previous: { readonly secretHash: string; readonly since: number; readonly until: number } | null
  /** Somebody wants its secret changed; null once it is. */
  readonly rotationAskedAt: number | null
  readonly revokedAt: number | null
  /** Latest log-in, to the minute; null before the first. */
  readonly lastUsedAt: number | null
}

/** A one-time token, known by its hash alone. */
export interface EnrolmentRecord extends Address {
  /** First 16 characters of the hash: to name it by. */
  readonly id: string
  readonly tokenHash: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly createdBy: string
}

/** Who may log in. Changes are durable when they resolve, and atomic beside other processes on the same data. */
export interface DeviceRegistry {
  device(address: Address): DeviceRecord | undefined
  /** By site, then node. */
  devices(): DeviceRecord[]
  /** Whether a device has ever been enrolled, revoked ones included. */
  readonly hasDevices: boolean
  /** Grows with every change of a credential, whichever process made it. */
  readonly revision: number
  /** Tokens that can still be used, newest first. */
  openEnrolments(now: number): EnrolmentRecord[]
  /** @throws API_BUSY when too many are open */
  putEnrolment(record: EnrolmentRecord): Promise<void>
  /** False when there is none of that id. */
  removeEnrolment(id: string): Promise<boolean>
  /**
   * Spends a token for a credential. Of two who come with the same token one wins.
   * @throws ENROLL_REFUSED
   */
  redeem(spent: { tokenHash: string; secretHash: string; now: number }): Promise<DeviceRecord>
  /** @throws DEVICE_UNKNOWN; what `change` throws, and nothing is then changed */
  change(address: Address, change: (device: DeviceRecord) => DeviceRecord): Promise<DeviceRecord>
  /** Notes a log-in, which is no change of a credential. */
  noteUse(address: Address, now: number): Promise<void>
}
