import {
  type Address,
  type Clock,
  type DeviceCredential,
  type EnrollRequest,
  fault,
  formatEnrollToken,
  isName,
  parseEnrollToken,
} from '@sightline/core'
import type { AuditLog } from '../store/audit-log.ts'
import type { DeviceLogin } from './device-logins.ts'
import type { DeviceRecord, DeviceRegistry, EnrolmentRecord } from './device-registry.ts'
import { hashSecret, newSecret } from './secrets.ts'

export const DEFAULT_TOKEN_LIFE_MS = 15 * 60_000
export const MAX_TOKEN_LIFE_MS = 7 * 24 * 3_600_000
/** After a rotation the former secret works until the new one is used, for so long at most: the answer may be lost. */
const ROTATION_OVERLAP_MS = 7 * 24 * 3_600_000

/** What devices are told of the hub besides their secret. */
export interface HubIdentity {
  /** Certificate authority of the hub's own, PEM; null when the system's are to be trusted. */
  ca(): string | null
  /** SHA-256 of that authority, hex. */
  caSha256(): string | undefined
  /** Public keys that sign rules, PEM. */
  readonly rulesKeys: readonly string[]
}

/** How devices reach the hub. */
export interface HubUrls {
  readonly hubUrl: string
  readonly brokerUrl: string
}

export interface IssuedToken {
  readonly id: string
  /** `slt1.…`, to be shown once. */
  readonly token: string
  readonly expiresAt: number
}

export interface EnrolmentDeskOptions {
  readonly registry: DeviceRegistry
  readonly audit: Pick<AuditLog, 'record'>
  readonly identity: HubIdentity
  readonly clock: Clock
  /** Called after every change of a credential. */
  readonly onChange?: () => void
}

/** Makes devices known to the hub, changes their secrets and turns them away. Every step is audited. */
export class EnrolmentDesk {
  readonly #registry: DeviceRegistry
  readonly #audit: Pick<AuditLog, 'record'>
  readonly #identity: HubIdentity
  readonly #clock: Clock
  readonly #onChange: () => void

  constructor({ registry, audit, identity, clock, onChange = () => {} }: EnrolmentDeskOptions) {
    this.#registry = registry
    this.#audit = audit
    this.#identity = identity
    this.#clock = clock
    this.#onChange = onChange
  }

  /** @throws API_BAD_REQUEST, API_BUSY */
  async issue(
    { site, node }: Address,
    { actor, lifeMs = DEFAULT_TOKEN_LIFE_MS }: { actor: string; lifeMs?: number | undefined },
  ): Promise<IssuedToken> {
    for (const [what, name] of Object.entries({ site, node }))
      if (!isName(name)) throw fault('API_BAD_REQUEST', `${JSON.stringify(name)} is no name for a ${what}`)
    if (!(lifeMs > 0 && lifeMs <= MAX_TOKEN_LIFE_MS))
      throw fault('API_BAD_REQUEST', 'a token lives for a second to seven days')
    const secret = newSecret()
    const tokenHash = hashSecret(secret)
    const createdAt = this.#clock.now()
    const expiresAt = createdAt + lifeMs
    const id = tokenHash.slice(0, 16)
    await this.#registry.putEnrolment({ id, tokenHash, site, node, createdAt, expiresAt, createdBy: actor })
    await this.#record(actor, 'enrolment.issued', { site, node }, { id, expiresAt })
    return { id, token: formatEnrollToken({ secret, caSha256: this.#identity.caSha256() }), expiresAt }
  }

  open(): EnrolmentRecord[] {
    return this.#registry.openEnrolments(this.#clock.now())
  }

  /** @throws API_NOT_FOUND */
  async withdraw(id: string, actor: string): Promise<void> {
    if (!(await this.#registry.removeEnrolment(id))) throw fault('API_NOT_FOUND', `no open enrolment ${id}`)
    await this.#audit.record({ actor, action: 'enrolment.withdrawn', subject: id, detail: {} })
  }

  /** @throws ENROLL_REFUSED */
  async enroll({ token, agent }: EnrollRequest, urls: HubUrls): Promise<DeviceCredential> {
    const parsed = parseEnrollToken(token)
    if (parsed === undefined) throw fault('ENROLL_REFUSED', 'this is no enrolment token')
    const secret = newSecret()
    const device = await this.#registry.redeem({
      tokenHash: hashSecret(parsed.secret),
      secretHash: hashSecret(secret),
      now: this.#clock.now(),
    })
    this.#onChange()
    await this.#record(actorOf(device), 'device.enrolled', device, {
      agent,
      again: device.createdAt !== device.enrolledAt,
    })
    return this.#credential(device, secret, urls)
  }

  devices(): DeviceRecord[] {
    return this.#registry.devices()
  }

  /** @throws DEVICE_UNKNOWN */
  async revoke(address: Address, actor: string): Promise<DeviceRecord> {
    const now = this.#clock.now()
    const device = await this.#registry.change(address, known => ({
      ...known,
      previous: null,
      rotationAskedAt: null,
      revokedAt: known.revokedAt ?? now,
    }))
    this.#onChange()
    await this.#record(actor, 'device.revoked', address, {})
    return device
  }

  /** The device changes its secret itself, as soon as it is told. @throws DEVICE_UNKNOWN, CREDENTIAL_REFUSED when revoked */
  async askRotation(address: Address, actor: string): Promise<DeviceRecord> {
    const now = this.#clock.now()
    const device = await this.#registry.change(address, known => {
      if (known.revokedAt !== null)
        throw fault('CREDENTIAL_REFUSED', `${address.site}/${address.node} was revoked`)
      return { ...known, rotationAskedAt: now }
    })
    this.#onChange()
    await this.#record(actor, 'device.rotation-asked', address, {})
    return device
  }

  /**
   * A new secret for the device that asks. The one that it logged in with works until the new one is used.
   * @throws CREDENTIAL_REFUSED
   */
  async rotate(login: DeviceLogin, urls: HubUrls): Promise<DeviceCredential> {
    const secret = newSecret()
    const now = this.#clock.now()
    const device = await this.#registry.change(login, known => {
      const held = [known.secretHash, known.previous?.secretHash].includes(login.secretHash)
      if (known.revokedAt !== null || !held)
        throw fault('CREDENTIAL_REFUSED', 'the credential was changed or revoked meanwhile')
      return {
        ...known,
        secretHash: hashSecret(secret),
        // What the device holds, should this answer be lost too. It gets no longer life by that.
        previous: {
          secretHash: login.secretHash,
          since: now,
          until: formerUntil(known, login) ?? now + ROTATION_OVERLAP_MS,
        },
        rotationAskedAt: null,
      }
    })
    await this.#record(actorOf(device), 'device.rotated', device, {})
    return this.#credential(device, secret, urls)
  }

  #credential({ site, node }: Address, secret: string, urls: HubUrls): DeviceCredential {
    const { rulesKeys } = this.#identity
    return {
      v: 1,
      site,
      node,
      secret,
      ...urls,
      ca: this.#identity.ca(),
      rulesKeys: [...rulesKeys],
      issuedAt: this.#clock.now(),
    }
  }

  #record(
    actor: string,
    action: string,
    { site, node }: Address,
    detail: Readonly<Record<string, string | number | boolean>>,
  ): Promise<void> {
    return this.#audit.record({ actor, action, subject: `${site}/${node}`, detail })
  }
}

/** Until when the secret of this log-in works, if it is a former one. */
function formerUntil({ previous }: DeviceRecord, { secretHash }: DeviceLogin): number | undefined {
  return previous?.secretHash === secretHash ? previous.until : undefined
}

function actorOf({ site, node }: Address): string {
  return `device:${site}/${node}`
}
