import type { Clock, Log } from '@sightline/core'
import type { Database } from 'lmdb'
import type { StoreEnvironment } from './lmdb-store.ts'

const MAX_ENTRIES = 100_000
const COUNTER = 'audit'

/** Who did what to what. Never holds a secret. */
export interface AuditEvent {
  /** `cli`, `user:NAME`, `key:ID`, `device:SITE/NODE`, or `local`: whoever has reached an open hub. */
  readonly actor: string
  /** Noun and past tense: `device.revoked`. */
  readonly action: string
  /** What it was done to: `SITE/NODE`, the id of a rule, the name of a user. */
  readonly subject: string
  /** Small and flat. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>
}

export interface AuditEntry extends AuditEvent {
  /** Running number. */
  readonly id: number
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
}

export interface AuditLogOptions {
  readonly environment: StoreEnvironment
  readonly clock: Clock
  readonly log: Log
}

/** The newest 100 000 changes that somebody made, on disk and in the log. */
export class AuditLog {
  readonly #environment: StoreEnvironment
  readonly #clock: Clock
  readonly #log: Log
  readonly #entries: Database<AuditEntry, number>
  readonly #counters: Database<number, string>

  constructor({ environment, clock, log }: AuditLogOptions) {
    this.#environment = environment
    this.#clock = clock
    this.#log = log
    this.#entries = environment.root.openDB('audit', {})
    this.#counters = environment.root.openDB('counters', {})
  }

  /** @throws STORE_FAILED */
  async record(event: AuditEvent): Promise<void> {
    this.#log.info({ ...event }, 'audit')
    await this.#environment.committer.run(() => {
      const id = (this.#counters.get(COUNTER) ?? 0) + 1
      this.#counters.put(COUNTER, id)
      this.#entries.put(id, { id, at: this.#clock.now(), ...event })
      this.#entries.remove(id - MAX_ENTRIES)
    })
  }

  /** Newest first, those before the entry `before`. */
  list({ limit, before }: { limit: number; before?: number | undefined }): AuditEntry[] {
    const start = (before ?? Number.MAX_SAFE_INTEGER) - 1
    return [...this.#entries.getRange({ start, reverse: true, limit })].map(({ value }) => value)
  }
}
