import { type Clock, fault, type Log } from '@sightline/core'
import { hashSecret, newSecret } from '../fleet/secrets.ts'
import type { AuditLog } from '../store/audit-log.ts'
import type { PeopleTables } from './people-tables.ts'
import { type ApiKey, checkGrant, type Grant, notWaitedFor } from './person.ts'

const PREFIX = 'slk_'
const USE_INTERVAL_MS = 60_000
const MAX_KEYS = 1000

export interface ApiKeysOptions {
  readonly tables: PeopleTables
  readonly audit: Pick<AuditLog, 'record'>
  readonly clock: Clock
  readonly log: Log
}

/** Keys for programs: `slk_` and 256 random bits, shown once; the hash is kept. */
export class ApiKeys {
  readonly #options: ApiKeysOptions

  constructor(options: ApiKeysOptions) {
    this.#options = options
  }

  list(): ApiKey[] {
    return [...this.#options.tables.keys.getRange()]
      .map(({ value }) => value)
      .sort((a, b) => b.createdAt - a.createdAt)
  }

  /** @throws API_BAD_REQUEST, API_BUSY */
  async issue(
    { name, lifeMs, ...rest }: { name: string; lifeMs?: number | undefined } & Grant,
    actor: string,
  ): Promise<{ key: ApiKey; secret: string }> {
    const { tables, audit, clock } = this.#options
    if (!/^[\p{L}\p{N} ._@/-]{1,64}$/u.test(name))
      throw fault('API_BAD_REQUEST', 'name: 1 to 64 letters, digits, spaces, dots, dashes, slashes')
    if (lifeMs !== undefined && !(lifeMs > 0)) throw fault('API_BAD_REQUEST', 'a key lives for a while')
    const secret = PREFIX + newSecret()
    const hash = hashSecret(secret)
    const now = clock.now()
    const key: ApiKey = {
      id: hash.slice(0, 12),
      hash,
      name,
      ...checkGrant(rest),
      createdAt: now,
      createdBy: actor,
      expiresAt: lifeMs === undefined ? null : now + lifeMs,
      lastUsedAt: null,
    }
    await tables.write(() => {
      if (this.list().length >= MAX_KEYS) throw fault('API_BUSY', `there are ${MAX_KEYS} keys`)
      tables.keys.put(hash, key)
    })
    const detail = { name, role: key.role, scope: key.scope?.join(' ') ?? null, expiresAt: key.expiresAt }
    await audit.record({ actor, action: 'key.issued', subject: key.id, detail })
    return { key, secret }
  }

  /** @throws API_NOT_FOUND */
  async revoke(id: string, actor: string): Promise<void> {
    const { tables, audit } = this.#options
    const name = await tables.write(() => {
      const key = this.list().find(each => each.id === id)
      if (key === undefined) throw fault('API_NOT_FOUND', `there is no key ${id}`)
      tables.keys.remove(key.hash)
      return key.name
    })
    await audit.record({ actor, action: 'key.revoked', subject: id, detail: { name } })
  }

  /** The key, while it is one. */
  find(secret: string): ApiKey | undefined {
    const { tables, clock, log } = this.#options
    if (!secret.startsWith(PREFIX)) return undefined
    const key = this.#alive(hashSecret(secret))
    const now = clock.now()
    if (key !== undefined && now - (key.lastUsedAt ?? 0) >= USE_INTERVAL_MS) {
      const noted = tables.write(() => {
        const latest = tables.keys.get(key.hash)
        if (latest !== undefined) tables.keys.put(key.hash, { ...latest, lastUsedAt: now })
      })
      notWaitedFor(noted, log, 'use of a key not noted')
    }
    return key
  }

  holds(hash: string): boolean {
    return this.#alive(hash) !== undefined
  }

  #alive(hash: string): ApiKey | undefined {
    const { tables, clock } = this.#options
    const key = tables.keys.get(hash)
    return key === undefined || (key.expiresAt !== null && key.expiresAt <= clock.now()) ? undefined : key
  }
}
