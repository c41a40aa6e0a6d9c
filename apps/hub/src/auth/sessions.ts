import { type Clock, fault, type Log } from '@sightline/core'
import { AuthBackoff } from '../broker/auth-backoff.ts'
import { hashSecret, newSecret } from '../fleet/secrets.ts'
import type { AuditLog } from '../store/audit-log.ts'
import type { Passwords } from './passwords.ts'
import type { PeopleTables } from './people-tables.ts'
import { notWaitedFor, type Session, type User } from './person.ts'

/** Use is noted to the minute. */
const USE_INTERVAL_MS = 60_000
/** Of one user; the oldest ends. */
const MAX_SESSIONS = 20

export interface SessionLimits {
  readonly idleMs: number
  readonly lifeMs: number
}

export interface SessionsOptions {
  readonly tables: PeopleTables
  readonly passwords: Passwords
  readonly limits: SessionLimits
  readonly context: { readonly audit: Pick<AuditLog, 'record'>; readonly clock: Clock; readonly log: Log }
}

/** A user who is signed in. */
export interface SignedIn {
  readonly user: User
  readonly session: Session
}

/** Who is signed in: by 256 random bits in a cookie, of which the hash is kept. */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #backoff: AuthBackoff

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#backoff = new AuthBackoff({ clock: options.context.clock })
  }

  get limits(): SessionLimits {
    return this.#options.limits
  }

  /** @throws SIGN_IN_REFUSED, API_RATE_LIMITED, API_BUSY */
  async signIn(name: string, password: string, from: string): Promise<SignedIn & { secret: string }> {
    await this.verify(name, password, from)
    const opened = await this.open(name)
    const detail = { from }
    await this.#options.context.audit.record({
      actor: `user:${name}`,
      action: 'sign-in',
      subject: name,
      detail,
    })
    return opened
  }

  /**
   * Resolves when the password is that user's.
   * @param from address, counted with the name: from the eleventh failure on both wait for 1 s, 2 s … 60 s
   * @throws SIGN_IN_REFUSED, API_RATE_LIMITED, API_BUSY
   */
  async verify(name: string, password: string, from: string): Promise<void> {
    const { tables, passwords, context } = this.#options
    const attempt = `${name} ${from}`
    if (this.#backoff.blocked(attempt))
      throw fault('API_RATE_LIMITED', 'too many attempts failed; again in a minute')
    const user = tables.users.get(name)
    // Who is disabled is refused like one who is not known, and takes as long.
    if (await passwords.matches(password, isEnabled(user) ? user?.passwordHash : undefined)) return
    this.#backoff.failed(attempt)
    // Whoever errs in the field types a password as a name: what nobody is called is not kept.
    const subject = user?.name ?? '(unknown)'
    await context.audit.record({ actor: 'nobody', action: 'sign-in.failed', subject, detail: { from } })
    throw fault('SIGN_IN_REFUSED', 'name or password is wrong')
  }

  /** Without a password, for who has just been made. @throws SIGN_IN_REFUSED when gone meanwhile */
  async open(name: string): Promise<SignedIn & { secret: string }> {
    const { tables, context } = this.#options
    const secret = newSecret()
    const now = context.clock.now()
    const session: Session = { hash: hashSecret(secret), user: name, createdAt: now, lastUsedAt: now }
    return tables.write(() => {
      const user = tables.users.get(name)
      if (user === undefined || !isEnabled(user)) throw fault('SIGN_IN_REFUSED', 'name or password is wrong')
      this.#makeRoom(name)
      tables.sessions.put(session.hash, session)
      tables.users.put(name, { ...user, lastSignInAt: now })
      return { user, session, secret }
    })
  }

  /** Undefined when there is no such session, or no more. */
  resume(secret: string): SignedIn | undefined {
    const { tables, context } = this.#options
    const found = this.#alive(hashSecret(secret))
    const now = context.clock.now()
    if (found !== undefined && now - found.session.lastUsedAt >= USE_INTERVAL_MS) {
      const { hash } = found.session
      const noted = tables.write(() => {
        const latest = tables.sessions.get(hash)
        if (latest !== undefined) tables.sessions.put(hash, { ...latest, lastUsedAt: now })
      })
      notWaitedFor(noted, context.log, 'use of a session not noted')
    }
    return found
  }

  /** Whether a session of earlier still is one. */
  holds(hash: string): boolean {
    return this.#alive(hash) !== undefined
  }

  async end({ user, session }: SignedIn, { everywhere }: { everywhere: boolean }): Promise<void> {
    const { tables, context } = this.#options
    await tables.write(() => {
      if (everywhere) tables.endSessions(user.name)
      else tables.sessions.remove(session.hash)
    })
    const actor = `user:${user.name}`
    await context.audit.record({ actor, action: 'sign-out', subject: user.name, detail: { everywhere } })
  }

  #alive(hash: string): SignedIn | undefined {
    const { tables } = this.#options
    const session = tables.sessions.get(hash)
    if (session === undefined || this.#expired(session)) return undefined
    const user = tables.users.get(session.user)
    return user !== undefined && isEnabled(user) ? { user, session } : undefined
  }

  #expired({ createdAt, lastUsedAt }: Session): boolean {
    const { limits, context } = this.#options
    const now = context.clock.now()
    return now - lastUsedAt > limits.idleMs || now - createdAt > limits.lifeMs
  }

  /** Within a transaction: forgets what has expired, and the oldest of those of one user. */
  #makeRoom(name: string): void {
    const { sessions } = this.#options.tables
    const open = []
    for (const { key, value } of [...sessions.getRange()]) {
      if (this.#expired(value)) sessions.remove(key)
      else if (value.user === name) open.push(value)
    }
    open.sort((a, b) => b.createdAt - a.createdAt)
    for (const { hash } of open.slice(MAX_SESSIONS - 1)) sessions.remove(hash)
  }
}

function isEnabled(user: User | undefined): boolean {
  return (user?.disabledAt ?? null) === null
}
