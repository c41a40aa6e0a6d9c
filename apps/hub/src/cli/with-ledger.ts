import { join, resolve } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import { openLmdbStore } from '../store/lmdb-store.ts'
import { SnapshotLedger } from '../store/snapshot-ledger.ts'

/** The hub's own ledger of snapshots, on its data, for one command; also beside a running hub. */
export async function withLedger<T>(
  settings: HubSettings,
  work: (ledger: SnapshotLedger) => Promise<T>,
): Promise<T> {
  const log = createLog({ name: 'cli', level: 'warn' })
  const { minFreeBytes } = settings.store
  const dir = join(resolve(settings.dataDir), 'store')
  const store = await openLmdbStore({ dir, minFreeBytes, clock: systemClock, log })
  try {
    return await work(new SnapshotLedger(store))
  } finally {
    await store.close()
  }
}
