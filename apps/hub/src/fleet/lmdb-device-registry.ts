import { type Address, fault } from '@sightline/core'
import type { Database } from 'lmdb'
import type { StoreEnvironment } from '../store/lmdb-store.ts'
import { deviceId } from './device-id.ts'
import type { DeviceRecord, DeviceRegistry, EnrolmentRecord } from './device-registry.ts'
import { sameHash } from './secrets.ts'

const MAX_OPEN_ENROLMENTS = 1000
const REVISION = 'fleet-revision'

/** In the environment of the records. LMDB lets other processes, the command line, write beside a running hub. */
export class LmdbDeviceRegistry implements DeviceRegistry {
  readonly #environment: StoreEnvironment
  /** site~node -> device. */
  readonly #devices: Database<DeviceRecord, string>
  /** Hash of the token -> enrolment. */
  readonly #enrolments: Database<EnrolmentRecord, string>
  readonly #counters: Database<number, string>

  constructor(environment: StoreEnvironment) {
    const { root } = environment
    this.#environment = environment
    this.#devices = root.openDB('devices', {})
    this.#enrolments = root.openDB('enrolments', {})
    this.#counters = root.openDB('counters', {})
  }

  device(address: Address): DeviceRecord | undefined {
    return this.#devices.get(deviceId(address))
  }

  devices(): DeviceRecord[] {
    return [...this.#devices.getRange()].map(({ value }) => value)
  }

  get hasDevices(): boolean {
    return this.revision > 0
  }

  get revision(): number {
    return this.#counters.get(REVISION) ?? 0
  }

  openEnrolments(now: number): EnrolmentRecord[] {
    return [...this.#enrolments.getRange()]
      .map(({ value }) => value)
      .filter(({ expiresAt }) => expiresAt > now)
      .sort((a, b) => b.createdAt - a.createdAt)
  }

  putEnrolment(record: EnrolmentRecord): Promise<void> {
    return this.#write(() => {
      for (const { key, value } of [...this.#enrolments.getRange()])
        if (value.expiresAt <= record.createdAt) this.#enrolments.remove(key)
      if (this.openEnrolments(record.createdAt).length >= MAX_OPEN_ENROLMENTS)
        throw fault('API_BUSY', `${MAX_OPEN_ENROLMENTS} enrolment tokens are open`)
      this.#enrolments.put(record.tokenHash, record)
    })
  }

  removeEnrolment(id: string): Promise<boolean> {
    return this.#write(() => {
      const found = [...this.#enrolments.getRange()].find(({ value }) => value.id === id)
      if (found === undefined) return false
      this.#enrolments.remove(found.key)
      return true
    })
  }

  redeem({
    tokenHash,
    secretHash,
    now,
  }: {
    tokenHash: string
    secretHash: string
    now: number
  }): Promise<DeviceRecord> {
    return this.#write(() => {
      const token = this.#enrolments.get(tokenHash)
      if (token === undefined || !sameHash(token.tokenHash, tokenHash))
        throw fault('ENROLL_REFUSED', 'this token is unknown, or it was used already')
      if (token.expiresAt <= now) throw fault('ENROLL_REFUSED', 'this token has expired')
      this.#enrolments.remove(tokenHash)
      const { site, node } = token
      const device: DeviceRecord = {
        site,
        node,
        createdAt: this.device(token)?.createdAt ?? now,
        enrolledAt: now,
        secretHash,
        previous: null,
        rotationAskedAt: null,
        revokedAt: null,
        lastUsedAt: null,
      }
      return this.#put(device)
    })
  }

  change(address: Address, change: (device: DeviceRecord) => DeviceRecord): Promise<DeviceRecord> {
    return this.#write(() => {
      const device = this.device(address)
      if (device === undefined)
        throw fault('DEVICE_UNKNOWN', `${address.site}/${address.node} has never been enrolled`)
      return this.#put(change(device))
    })
  }

  noteUse(address: Address, now: number): Promise<void> {
    return this.#write(() => {
      const device = this.device(address)
      if (device !== undefined) this.#devices.put(deviceId(address), { ...device, lastUsedAt: now })
    })
  }

  /** Within a transaction. */
  #put(device: DeviceRecord): DeviceRecord {
    this.#counters.put(REVISION, this.revision + 1)
    this.#devices.put(deviceId(device), device)
    return device
  }

  #write<T>(job: () => T): Promise<T> {
    return this.#environment.committer.run(job)
  }
}
