import type { ApiClient } from './api.ts'
import type { Role } from './api-types.ts'

/** Users and API keys as the hub shows them to its admins; times are RFC 3339 strings. */

export interface Grant {
  readonly role: Role
  /** Globs SITE, SITE/NODE or SITE/NODE/CAMERA; null: everything. */
  readonly scope: readonly string[] | null
}

export interface Person extends Grant {
  readonly name: string
  readonly createdAt: string
  readonly lastSignInAt: string | null
  /** Since when the person cannot sign in; null: can. */
  readonly disabledAt: string | null
}

export interface NewPerson extends Grant {
  readonly name: string
  readonly password: string
}

export interface PersonChange extends Grant {
  readonly password?: string
  readonly disabled?: boolean
}

export interface ApiKey extends Grant {
  readonly id: string
  readonly name: string
  readonly createdAt: string
  readonly createdBy: string
  /** Null: never. */
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
}

export interface NewApiKey extends Grant {
  readonly name: string
  /** Without it the key works until it is revoked. */
  readonly expiresInDays?: number
}

const userPath = (name: string) => `/users/${encodeURIComponent(name)}`

export async function people(api: ApiClient, signal: AbortSignal): Promise<readonly Person[]> {
  return (await api.read<{ users: readonly Person[] }>('/users', signal)).users
}

export function addPerson(api: ApiClient, person: NewPerson): Promise<Person> {
  return api.write('POST', '/users', person)
}

export function changePerson(api: ApiClient, name: string, change: PersonChange): Promise<Person> {
  return api.write('PUT', userPath(name), change)
}

export function removePerson(api: ApiClient, name: string): Promise<unknown> {
  return api.write('DELETE', userPath(name), {})
}

export async function apiKeys(api: ApiClient, signal: AbortSignal): Promise<readonly ApiKey[]> {
  return (await api.read<{ keys: readonly ApiKey[] }>('/keys', signal)).keys
}

/** The key itself is in this answer alone. */
export async function issueKey(api: ApiClient, key: NewApiKey): Promise<string> {
  return (await api.write<{ key: string }>('POST', '/keys', key)).key
}

export function revokeKey(api: ApiClient, id: string): Promise<unknown> {
  return api.write('DELETE', `/keys/${encodeURIComponent(id)}`, {})
}

/** Ends every other session of who is signed in. */
export function changeOwnPassword(api: ApiClient, current: string, password: string): Promise<unknown> {
  return api.write('PUT', '/session/password', { current, password })
}
