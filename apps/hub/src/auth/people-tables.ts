import type { Database } from 'lmdb'
import type { StoreEnvironment } from '../store/lmdb-store.ts'
import type { ApiKey, Session, User } from './person.ts'

const REVISION = 'people-revision'

/** Users, sessions and API keys, in the environment of the records: the command line writes beside a running hub. */
export class PeopleTables {
  /** Name -> user. */
  readonly users: Database<User, string>
  /** Hash of the cookie -> session. */
  readonly sessions: Database<Session, string>
  /** Hash of the key -> key. */
  readonly keys: Database<ApiKey, string>
  readonly #counters: Database<number, string>
  readonly #environment: StoreEnvironment

  constructor(environment: StoreEnvironment) {
    const { root } = environment
    this.#environment = environment
    this.users = root.openDB('users', {})
    this.sessions = root.openDB('user-sessions', {})
    this.keys = root.openDB('api-keys', {})
    this.#counters = root.openDB('counters', {})
  }

  /** Whether there has ever been a user: the last one's deletion does not open the hub again. */
  get hadUsers(): boolean {
    return (this.#counters.get(REVISION) ?? 0) > 0
  }

  get hasUsers(): boolean {
    return [...this.users.getKeys({ limit: 1 })].length > 0
  }

  /** One durable transaction. @throws STORE_FAILED, or what the job throws */
  write<T>(job: () => T): Promise<T> {
    return this.#environment.committer.run(job)
  }

  /** Within a transaction. */
  putUser(user: User): User {
    this.users.put(user.name, user)
    this.#counters.put(REVISION, (this.#counters.get(REVISION) ?? 0) + 1)
    return user
  }

  /** Within a transaction; ends what the user has open. @returns how many sessions */
  endSessions(user: string, except?: string): number {
    const ended = [...this.sessions.getRange()].filter(
      ({ key, value }) => value.user === user && key !== except,
    )
    for (const { key } of ended) this.sessions.remove(key)
    return ended.length
  }
}
