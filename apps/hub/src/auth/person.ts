import { fault, type Log } from '@sightline/core'
import { isScopeGlob } from '../store/source-scope.ts'

/** Each may what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

export const USER_NAME_PATTERN = '^[a-z0-9][a-z0-9._@-]{0,63}$'
export const MAX_SCOPE = 100

/** What a user or a key may. */
export interface Grant {
  readonly role: Role
  /** Globs `SITE`, `SITE/NODE` or `SITE/NODE/CAMERA`, of viewers only; null: everything. */
  readonly scope: readonly string[] | null
}

export interface User extends Grant {
  readonly name: string
  readonly passwordHash: string
  readonly createdAt: number
  readonly lastSignInAt: number | null
  /** Since when he cannot sign in; absent or null: he can. */
  readonly disabledAt?: number | null
}

export interface Session {
  /** SHA-256 of what the cookie holds. */
  readonly hash: string
  readonly user: string
  readonly createdAt: number
  readonly lastUsedAt: number
}

export interface ApiKey extends Grant {
  readonly id: string
  /** SHA-256 of the key. */
  readonly hash: string
  readonly name: string
  readonly createdAt: number
  readonly createdBy: string
  /** Null: never. */
  readonly expiresAt: number | null
  readonly lastUsedAt: number | null
}

/** @throws API_BAD_REQUEST */
export function checkGrant({ role, scope }: Grant): Grant {
  if (!ROLES.includes(role)) throw fault('API_BAD_REQUEST', `role: ${ROLES.join(', ')}, not ${role}`)
  if (scope === null) return { role, scope }
  if (role !== 'viewer') throw fault('API_BAD_REQUEST', 'scope: only viewers can be limited')
  if (scope.length === 0 || scope.length > MAX_SCOPE)
    throw fault('API_BAD_REQUEST', `scope: 1 to ${MAX_SCOPE} entries`)
  const bad = scope.find(glob => !isScopeGlob(glob))
  if (bad !== undefined)
    throw fault('API_BAD_REQUEST', `scope: ${bad} is not SITE, SITE/NODE or SITE/NODE/CAMERA`)
  return { role, scope }
}

/** For what is noted beside a request and must not hold it up. */
export function notWaitedFor(job: Promise<unknown>, log: Log, what: string): void {
  job.catch((err: unknown) => log.warn({ err }, what))
}
