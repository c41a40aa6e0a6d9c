import type { Clock, Log } from '@sightline/core'
import { isLoopback } from '../loopback.ts'
import type { HubSettings } from '../settings.ts'
import type { AuditLog } from '../store/audit-log.ts'
import type { StoreEnvironment } from '../store/lmdb-store.ts'
import { ApiKeys } from './api-keys.ts'
import { Passwords } from './passwords.ts'
import { PeopleTables } from './people-tables.ts'
import { Sessions } from './sessions.ts'
import { Setup } from './setup.ts'
import { Users } from './users.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

export interface PeopleOptions {
  readonly settings: Pick<HubSettings, 'auth' | 'http' | 'tls'>
  readonly environment: StoreEnvironment
  readonly audit: Pick<AuditLog, 'record'>
  readonly context: { readonly clock: Clock; readonly log: Log }
  readonly passwords?: Passwords
}

/** Users, sessions, API keys, and whether anybody has to show who he is. */
export interface People {
  readonly users: Users
  readonly sessions: Sessions
  readonly keys: ApiKeys
  readonly setup: Setup
  /** Whether a request without a session or key is nobody's, rather than the local admin's. */
  signInRequired(): boolean
}

export function createPeople(options: PeopleOptions): People {
  const { settings, environment, audit, context, passwords = new Passwords() } = options
  const { auth, http, tls } = settings
  const { clock, log } = context
  const tables = new PeopleTables(environment)
  const users = new Users({ tables, passwords, audit, clock })
  const limits = { idleMs: auth.sessionIdleMinutes * MINUTE_MS, lifeMs: auth.sessionDays * DAY_MS }
  const reachable = !isLoopback(http.host) || tls.terminated
  return {
    users,
    sessions: new Sessions({ tables, passwords, limits, context: { audit, clock, log } }),
    keys: new ApiKeys({ tables, audit, clock, log }),
    setup: new Setup({ tables, users }),
    signInRequired: () => {
      if (auth.required !== 'auto') return auth.required === 'always'
      return reachable || tables.hadUsers
    },
  }
}
