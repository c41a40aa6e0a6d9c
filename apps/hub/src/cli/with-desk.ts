import { join, resolve } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { EnrolmentDesk } from '../fleet/enrolment-desk.ts'
import { LmdbDeviceRegistry } from '../fleet/lmdb-device-registry.ts'
import { openSigningKey } from '../rules/signing-key.ts'
import type { HubSettings } from '../settings.ts'
import { AuditLog } from '../store/audit-log.ts'
import { openLmdbStore } from '../store/lmdb-store.ts'
import { authorityOf } from '../tls/tls-files.ts'

/** Who may write the data directory may do everything: there is no further check. */
export const CLI_ACTOR = 'cli'

/**
 * The hub's own desk, on its data, for one command. LMDB takes several processes, so this works beside a running hub,
 * which heeds every change within a second.
 */
export async function withDesk<T>(
  settings: HubSettings,
  work: (desk: EnrolmentDesk) => Promise<T>,
): Promise<T> {
  const dir = resolve(settings.dataDir)
  const authority = await authorityOf(settings, dir)
  const { publicKeyPem } = await openSigningKey(join(dir, 'keys'))
  const log = createLog({ name: 'cli', level: 'warn' })
  const { minFreeBytes } = settings.store
  const store = await openLmdbStore({ dir: join(dir, 'store'), minFreeBytes, clock: systemClock, log })
  try {
    const { environment } = store
    const desk = new EnrolmentDesk({
      registry: new LmdbDeviceRegistry(environment),
      audit: new AuditLog({ environment, clock: systemClock, log }),
      identity: {
        ca: () => authority?.pem ?? null,
        caSha256: () => authority?.sha256,
        rulesKeys: [publicKeyPem],
      },
      clock: systemClock,
    })
    return await work(desk)
  } finally {
    await store.close()
  }
}
