import { rm } from 'node:fs/promises'
import { type DeviceCredential, fault, type Log } from '@sightline/core'
import type { BrokerLogin } from '../uplink/link.ts'
import { credentialPath, formerCredentialPath, readCredential, writeCredential } from './credential.ts'

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
    const { site, node, secret, ca } = this.inUse
    return { username: `${site}~${node}`, password: secret, ...(ca === null ? {} : { ca }) }
  }

  /** Stores first: a device that loses its power now knows both. */
  async rotate(next: DeviceCredential): Promise<void> {
    const former = this.inUse
    await writeCredential(formerCredentialPath(this.#dataDir), former)
    await writeCredential(credentialPath(this.#dataDir), next)
    this.#former = former
    this.#current = next
    this.#useFormer = false
  }

  /** The broker let `inUse` in: the other one has had its time. */
  async accepted(): Promise<void> {
    if (this.#former === undefined) return
    if (this.#useFormer) {
      this.#log.warn({ code: 'CREDENTIAL_REFUSED' }, 'new credential refused; the former one stays')
      this.#current = this.#former
      await writeCredential(credentialPath(this.#dataDir), this.#current)
    }
    this.#former = undefined
    this.#useFormer = false
    await rm(formerCredentialPath(this.#dataDir), { force: true })
  }

  /** The broker did not let `inUse` in. */
  refused(): void {
    if (this.#former !== undefined) this.#useFormer = !this.#useFormer
  }

  /** @throws CONFIG_INVALID when settings name another device than the credential does */
  check(settings: { readonly site: string; readonly node?: string | undefined }): void {
    const { site, node } = this.#current
    for (const [name, own, theirs] of [
      ['site', settings.site, site],
      ['node', settings.node ?? node, node],
    ]) {
      if (own === theirs) continue
      throw fault(
        'CONFIG_INVALID',
        `${name}: ${own} is configured, and the credential in ${this.#dataDir} is that of ${site}/${node}`,
      )
    }
  }
}
