import { type Clock, fault } from '@sightline/core'
import type { AuditLog } from '../store/audit-log.ts'
import type { Passwords } from './passwords.ts'
import type { PeopleTables } from './people-tables.ts'
import { checkGrant, type Grant, USER_NAME_PATTERN, type User } from './person.ts'

const MAX_USERS = 10_000

export interface UsersOptions {
  readonly tables: PeopleTables
  readonly passwords: Passwords
  readonly audit: Pick<AuditLog, 'record'>
  readonly clock: Clock
}

/** Whom the hub knows. Every change is audited. */
export class Users {
  readonly #options: UsersOptions

  constructor(options: UsersOptions) {
    this.#options = options
  }

  get(name: string): User | undefined {
    return this.#options.tables.users.get(name)
  }

  list(): User[] {
    return [...this.#options.tables.users.getRange()].map(({ value }) => value)
  }

  /**
   * @param first only while there is no user yet
   * @throws API_BAD_REQUEST, PASSWORD_WEAK, USER_EXISTS, SETUP_REFUSED, API_BUSY
   */
  async add(
    { name, password, ...rest }: { name: string; password: string } & Grant,
    { actor, first = false }: { actor: string; first?: boolean },
  ): Promise<User> {
    const { tables, passwords, clock } = this.#options
    if (!new RegExp(USER_NAME_PATTERN).test(name))
      throw fault('API_BAD_REQUEST', 'name: up to 64 small letters, digits, dots, dashes, underscores or @')
    const grant = checkGrant(rest)
    const passwordHash = await passwords.hash(password, name)
    const user = await tables.write(() => {
      if (first && tables.hadUsers) throw fault('SETUP_REFUSED', 'there is a user already')
      if (this.get(name) !== undefined) throw fault('USER_EXISTS', `there is a user ${name}`)
      if (this.list().length >= MAX_USERS) throw fault('API_BUSY', `there are ${MAX_USERS} users`)
      return tables.putUser({ name, ...grant, passwordHash, createdAt: clock.now(), lastSignInAt: null })
    })
    await this.#record(actor, 'user.added', user)
    return user
  }

  /**
   * Whatever is given; a new password ends the user's sessions, except one, and being disabled ends all.
   * @throws USER_UNKNOWN, LAST_ADMIN, API_BAD_REQUEST, PASSWORD_WEAK
   */
  async change(
    name: string,
    {
      password,
      disabled,
      ...given
    }: Partial<Grant> & { password?: string | undefined; disabled?: boolean | undefined },
    { actor, keepSession }: { actor: string; keepSession?: string | undefined },
  ): Promise<User> {
    const { tables, passwords, clock } = this.#options
    const passwordHash = password === undefined ? undefined : await passwords.hash(password, name)
    const user = await tables.write(() => {
      const known = this.#known(name)
      const { role = known.role } = given
      // Whoever gets another role sees everything, unless told otherwise.
      const { scope = role === known.role ? known.scope : null } = given
      const grant = checkGrant({ role, scope })
      if (role !== 'admin' || disabled === true) this.#checkLastAdmin(known)
      if (disabled === true) tables.endSessions(name)
      else if (passwordHash !== undefined) tables.endSessions(name, keepSession)
      const { disabledAt = null } = known
      return tables.putUser({
        ...known,
        ...grant,
        ...(passwordHash === undefined ? {} : { passwordHash }),
        disabledAt: disabled === undefined ? disabledAt : disabled ? (disabledAt ?? clock.now()) : null,
      })
    })
    if (given.role !== undefined || given.scope !== undefined) await this.#record(actor, 'user.changed', user)
    if (disabled !== undefined) await this.#record(actor, disabled ? 'user.disabled' : 'user.enabled', user)
    if (password !== undefined) await this.#record(actor, 'user.password-changed', user)
    return user
  }

  /** @throws USER_UNKNOWN, LAST_ADMIN */
  async remove(name: string, actor: string): Promise<void> {
    const { tables } = this.#options
    const user = await tables.write(() => {
      const known = this.#known(name)
      this.#checkLastAdmin(known)
      tables.endSessions(name)
      tables.users.remove(name)
      return known
    })
    await this.#record(actor, 'user.removed', user)
  }

  #known(name: string): User {
    const user = this.get(name)
    if (user === undefined) throw fault('USER_UNKNOWN', `there is no user ${name}`)
    return user
  }

  #checkLastAdmin(user: User): void {
    if (!isActiveAdmin(user)) return
    if (!this.list().some(other => isActiveAdmin(other) && other.name !== user.name))
      throw fault('LAST_ADMIN', `${user.name} is the only admin`)
  }

  #record(actor: string, action: string, { name, role, scope }: User): Promise<void> {
    const detail = { role, scope: scope?.join(' ') ?? null }
    return this.#options.audit.record({ actor, action, subject: name, detail })
  }
}

function isActiveAdmin({ role, disabledAt = null }: User): boolean {
  return role === 'admin' && disabledAt === null
}
