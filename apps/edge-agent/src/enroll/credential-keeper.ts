import { rm } from 'node:fs/promises'
import type { DeviceCredential, Log } from '@sightline/core'
import type { BrokerLogin } from '../uplink/link.ts'
import {
  credentialPath,
  formerCredentialPath,
  loginOf,
  readCredential,
  writeCredential,
} from './credential.ts'

/**
 * The credential of a running device. After a rotation there are two of them: the former is kept until the broker has
 * let the new one in, and tried again while it has not.
 */
export class CredentialKeeper {
  readonly #dataDir: string
  readonly #log: Log
  #current: DeviceCredential
  #former: DeviceCredential | undefined
  /** The next log-in is with the former one. */
  #useFormer = false
  #asking = false
  /** The one that logged in last. */
  #tried: DeviceCredential | undefined
  #onSettled: ((newOne: boolean) => void)[] = []

  private constructor(options: { dataDir: string; log: Log }, current: DeviceCredential) {
    this.#dataDir = options.dataDir
    this.#log = options.log
    this.#current = current
  }

  /** Undefined when the device is not enrolled. @throws CREDENTIAL_DAMAGED */
  static async open(options: { dataDir: string; log: Log }): Promise<CredentialKeeper | undefined> {
    const current = await readCredential(credentialPath(options.dataDir))
    if (current === undefined) return undefined
    const keeper = new CredentialKeeper(options, current)
    keeper.#former = await readCredential(formerCredentialPath(options.dataDir))
    return keeper
  }

  /** The one that logs in next. */
  get inUse(): DeviceCredential {
    return this.#useFormer && this.#former !== undefined ? this.#former : this.#current
  }

  login(): BrokerLogin {
    this.#tried = this.inUse
    return loginOf(this.#tried)
  }

  get rotating(): boolean {
    return this.#asking || this.#former !== undefined
  }

  /** Stores both before the new one is tried: a device that loses its power now knows them. */
  async rotate(ask: () => Promise<DeviceCredential>): Promise<void> {
    this.#asking = true
    try {
      const former = this.inUse
      const next = await ask()
      await writeCredential(formerCredentialPath(this.#dataDir), former)
      await writeCredential(credentialPath(this.#dataDir), next)
      this.#former = former
      this.#current = next
      this.#useFormer = false
      this.#tried = undefined
    } finally {
      this.#asking = false
    }
  }

  /** Resolves once the broker has let one of the two in: whether it was the new one. */
  settled(): Promise<boolean> {
    return new Promise(resolve => this.#onSettled.push(resolve))
  }

  /** The broker let somebody in: the other one has had its time. */
  async accepted(): Promise<void> {
    if (this.#former === undefined) return
    // The connection from before the rotation says nothing of either.
    if (this.#tried === undefined) return
    const newOne = this.#tried === this.#current
    if (!newOne) {
      this.#log.warn({ code: 'CREDENTIAL_REFUSED' }, 'new credential refused; the former one stays')
      this.#current = this.#former
      await writeCredential(credentialPath(this.#dataDir), this.#current)
    }
    this.#former = undefined
    this.#useFormer = false
    await rm(formerCredentialPath(this.#dataDir), { force: true })
    for (const tell of this.#onSettled.splice(0)) tell(newOne)
  }

  /** The broker did not let `inUse` in. */
  refused(): void {
    if (this.#former !== undefined) this.#useFormer = !this.#useFormer
  }
}
