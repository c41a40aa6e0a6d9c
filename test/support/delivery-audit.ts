import { join } from 'node:path'
import { createLog, hasSeq, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { readLedger } from './delivery-ledger.ts'
import { incidentId, isEvent } from './simulated-records.ts'

const NONE: ReadonlySet<number> = new Set()

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

export interface AuditOptions {
  readonly scenario: string
  /** Path of the client's ledger. */
  readonly ledger: string
  /** Of a hub that has stopped. */
  readonly dataDir: string
  /** The incident that a record belongs to; undefined for a frame. Default: as simulated agents number them. */
  readonly incidentOf?: (node: string, seq: number) => string | undefined
}

/** Compares the client's ledger with the store of a hub that has stopped; reads the files, not what the hub says. */
export async function audit(options: AuditOptions): Promise<LedgerRow> {
  const { scenario, ledger, dataDir, incidentOf = simulatedIncident } = options
  const log = createLog({ name: 'audit', level: 'silent' })
  const store = await openLmdbStore({ dir: join(dataDir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  try {
    const sent = await readLedger(ledger)
    const { frames, duplicates } = readFrames(store, sent)
    const row = { scenario, sent: 0, acknowledged: 0, stored: 0, duplicates, lost: 0 }
    for (const [node, entry] of sent) {
      const own = frames.get(node) ?? NONE
      row.sent += entry.sent
      for (let seq = 1; seq <= entry.sent; seq++) {
        const incident = incidentOf(node, seq)
        const stored = incident === undefined ? own.has(seq) : store.incident(incident)?.node === node
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

function simulatedIncident(node: string, seq: number): string | undefined {
  return isEvent(seq) ? incidentId(node, seq) : undefined
}

/**
 * Which frames each node has, and how many are there twice, by number or in a list of a camera. Of those who keep no
 * ledger nothing is known: a broken message may well mean another site or session, and is then another record.
 */
function readFrames(
  store: RecordStore,
  nodes: ReadonlyMap<string, unknown>,
): { frames: Map<string, Set<number>>; duplicates: number } {
  const frames = new Map<string, Set<number>>()
  let duplicates = 0
  for (const { node, seq } of store.scan(0)) {
    if (!nodes.has(node)) continue
    const own = frames.get(node) ?? new Set()
    if (own.has(seq)) duplicates++
    frames.set(node, own.add(seq))
  }
  for (const camera of store.cameras()) {
    const listed = store.recent(camera, 100_000).map(({ id }) => id)
    duplicates += listed.length - new Set(listed).size
  }
  return { frames, duplicates }
}
