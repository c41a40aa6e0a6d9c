import { join, resolve } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { createPeople, type People } from '../auth/people.ts'
import type { HubSettings } from '../settings.ts'
import { AuditLog } from '../store/audit-log.ts'
import { openLmdbStore } from '../store/lmdb-store.ts'

/** The hub's own users and keys, on its data, for one command; a hub that runs beside it heeds every change at once. */
export async function withPeople<T>(settings: HubSettings, work: (people: People) => Promise<T>): Promise<T> {
  const log = createLog({ name: 'cli', level: 'warn' })
  const { minFreeBytes } = settings.store
  const dir = join(resolve(settings.dataDir), 'store')
  const store = await openLmdbStore({ dir, minFreeBytes, clock: systemClock, log })
  try {
    const { environment } = store
    const audit = new AuditLog({ environment, clock: systemClock, log })
    return await work(createPeople({ settings, environment, audit, context: { clock: systemClock, log } }))
  } finally {
    await store.close()
  }
}
