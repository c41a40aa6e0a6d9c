import { fault } from '@sightline/core'
import { hashSecret, newSecret, sameHash } from '../fleet/secrets.ts'
import type { PeopleTables } from './people-tables.ts'
import type { User } from './person.ts'
import type { Users } from './users.ts'

/** The way in while there is no user: a link that makes the first admin, once, as long as this process runs. */
export class Setup {
  readonly #tables: PeopleTables
  readonly #users: Users
  #tokenHash: string | undefined

  constructor({ tables, users }: { tables: PeopleTables; users: Users }) {
    this.#tables = tables
    this.#users = users
  }

  get open(): boolean {
    return this.#tokenHash !== undefined && !this.#tables.hadUsers
  }

  /** A new token, in place of any former; undefined once there has been a user. */
  issue(): string | undefined {
    if (this.#tables.hadUsers) return undefined
    const token = newSecret()
    this.#tokenHash = hashSecret(token)
    return token
  }

  /** @throws SETUP_REFUSED; API_BAD_REQUEST, PASSWORD_WEAK: the token can then be used again */
  async redeem(token: string, { name, password }: { name: string; password: string }): Promise<User> {
    if (!this.open || !sameHash(this.#tokenHash ?? '', hashSecret(token)))
      throw fault('SETUP_REFUSED', 'this set-up link is not one, or was used')
    const admin = { name, password, role: 'admin', scope: null } as const
    const user = await this.#users.add(admin, { actor: 'setup', first: true })
    this.#tokenHash = undefined
    return user
  }
}
