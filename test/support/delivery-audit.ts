import { join } from 'node:path'
import { addSeqs, createLog, EMPTY_SEQ_SET, hasSeq, type SeqSet, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { readLedger } from './delivery-ledger.ts'
import { incidentId, isEvent } from './simulated-records.ts'

export interface LedgerRow {
  readonly scenario: string
  readonly sent: number
  readonly acknowledged: number
  /** Of the records sent, those that the hub has. */
  readonly stored: number
  /** Records that the hub shows more than once. */
  readonly duplicates: number
  /** Acknowledged, and not there. */
  readonly lost: number
  readonly notes?: string
}

/** Compares the client's ledger with the store of a hub that has stopped; reads the files, not what the hub says. */
export async function audit(
  scenario: string,
  ledgerPath: string,
  dataDir: string,
  isIncident: (seq: number) => boolean = isEvent,
): Promise<LedgerRow> {
  const log = createLog({ name: 'audit', level: 'silent' })
  const store = await openLmdbStore({ dir: join(dataDir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  try {
    const { frames, duplicates } = readFrames(store)
    const row = { scenario, sent: 0, acknowledged: 0, stored: 0, duplicates, lost: 0 }
    for (const [node, entry] of await readLedger(ledgerPath)) {
      const own = frames.get(node) ?? EMPTY_SEQ_SET
      row.sent += entry.sent
      for (let seq = 1; seq <= entry.sent; seq++) {
        const stored = isIncident(seq)
          ? store.incident(incidentId(node, seq))?.node === node
          : hasSeq(own, seq)
        const acknowledged = hasSeq(entry.acknowledged, seq)
        if (stored) row.stored++
        if (acknowledged) row.acknowledged++
        if (acknowledged && !stored) row.lost++
      }
    }
    return row
  } finally {
    await store.close()
  }
}

/** Which frames each node has, and how many are there twice, by identity or in a list of a camera. */
function readFrames(store: RecordStore): { frames: Map<string, SeqSet>; duplicates: number } {
  const frames = new Map<string, SeqSet>()
  const ids = new Set<string>()
  let rows = 0
  for (const { id, node, seq } of store.scan(0)) {
    rows++
    ids.add(id)
    frames.set(node, addSeqs(frames.get(node) ?? EMPTY_SEQ_SET, [[seq, seq]]))
  }
  let duplicates = rows - ids.size
  for (const camera of store.cameras()) {
    const listed = store.recent(camera, 100_000).map(({ id }) => id)
    duplicates += listed.length - new Set(listed).size
  }
  return { frames, duplicates }
}
