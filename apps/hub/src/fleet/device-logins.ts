import type { Address, Clock, Log } from '@sightline/core'
import { deviceId, parseDeviceId } from './device-id.ts'
import type { DeviceRecord, DeviceRegistry } from './device-registry.ts'
import { hashSecret, sameHash } from './secrets.ts'

/** A log-in is noted once a minute at most: a fleet that flaps must not fill the store with commits. */
const USE_INTERVAL_MS = 60_000
/** Compared with when a device is unknown, so that the answer takes as long. */
const NOBODY = hashSecret('')

/** A device that has shown its secret. */
export interface DeviceLogin extends Address {
  readonly secretHash: string
}

export interface DeviceLoginsOptions {
  readonly registry: DeviceRegistry
  readonly clock: Clock
  readonly log: Log
}

/** Knows devices by their secret, over MQTT and HTTP alike. */
export class DeviceLogins {
  readonly #registry: DeviceRegistry
  readonly #clock: Clock
  readonly #log: Log

  constructor({ registry, clock, log }: DeviceLoginsOptions) {
    this.#registry = registry
    this.#clock = clock
    this.#log = log
  }

  /** Undefined when the secret is not that device's, now. Comparison takes constant time. */
  login(id: string, secret: string): DeviceLogin | undefined {
    const address = parseDeviceId(id)
    const device = address && this.#registry.device(address)
    const secretHash = hashSecret(secret)
    const known = sameHash(device?.secretHash ?? NOBODY, secretHash)
    const former = sameHash(device?.previous?.secretHash ?? NOBODY, secretHash)
    if (device === undefined || !(known || former)) return undefined
    const { site, node } = device
    const login = { site, node, secretHash }
    if (!this.holds(login)) return undefined
    this.#noteUse(device, known)
    return login
  }

  /** Whether a log-in of earlier would still be one. */
  holds({ secretHash, ...address }: DeviceLogin): boolean {
    const device = this.#registry.device(address)
    if (device === undefined || device.revokedAt !== null) return false
    if (device.secretHash === secretHash) return true
    return device.previous?.secretHash === secretHash && device.previous.until > this.#clock.now()
  }

  /** Not waited for: a device gets in also while nothing can be written. */
  #noteUse(device: DeviceRecord, current: boolean): void {
    const now = this.#clock.now()
    const failed = (err: unknown) => this.#log.warn({ device: deviceId(device), err }, 'log-in not noted')
    if (current && device.previous !== null) {
      this.#registry
        .change(device, latest => ({
          ...latest,
          lastUsedAt: now,
          // Somebody may have rotated once more meanwhile.
          previous: latest.secretHash === device.secretHash ? null : latest.previous,
        }))
        .catch(failed)
    } else if (now - (device.lastUsedAt ?? 0) >= USE_INTERVAL_MS) {
      this.#registry.noteUse(device, now).catch(failed)
    }
  }
}
