import type { Address, Log, NodeStats } from '@sightline/core'
import type { Database } from 'lmdb'
import type { Ingest } from '../ingest/ingest.ts'
import type { StoreEnvironment } from '../store/lmdb-store.ts'
import type { NodeRecord } from '../store/record-store.ts'
import { keyOf } from './shadow.ts'
import { type StatsPoint, statsPoints } from './stats-points.ts'

/** Of one device one report a minute is kept, for a day: at most 1440 rows of some 230 bytes. */
const SLOT_MS = 60_000
const KEEP_MS = 24 * 3_600_000
/** Removed with every report; more than one is old only after a device was away. */
const PRUNED_AT_ONCE = 20

const KEPT = [
  'uptimeSeconds',
  'framesSeen',
  'framesEmbedded',
  'framesFailed',
  'outboxRecords',
  'outboxBytes',
  'outboxDropped',
  'outboxDroppedEvents',
  'outboxDroppedThumbnails',
  'encodeP50Ms',
  'decisionP95Ms',
  'rssBytes',
] as const

/** What is kept of a report. `at`: hub time, milliseconds since the epoch. */
export type StatsSample = Pick<NodeStats, 'at' | (typeof KEPT)[number]>

export interface StatsHistoryOptions {
  readonly environment: StoreEnvironment
  readonly ingest: Pick<Ingest, 'on'>
  readonly log: Log
}

/** What devices reported of themselves over the last day, on disk. */
export class StatsHistory {
  readonly #environment: StoreEnvironment
  readonly #log: Log
  /** [site~node, minute] -> the newest report of that minute. */
  readonly #rows: Database<StatsSample, [string, number]>
  /** Time of the newest report of each device, the device's own. */
  readonly #newest = new Map<string, number>()

  constructor({ environment, ingest, log }: StatsHistoryOptions) {
    this.#environment = environment
    this.#log = log
    this.#rows = environment.root.openDB('node-stats', {})
    ingest.on('node', record => this.#take(record))
  }

  /** The time from `from` to `now`, oldest first, in at most some 360 steps. */
  points(address: Address, { from, now }: { readonly from: number; readonly now: number }): StatsPoint[] {
    const key = keyOf(address)
    // The one before the first says how fast counters grew up to it.
    const start: [string, number] = [key, Math.max(from, now - KEEP_MS) - 2 * SLOT_MS]
    const end: [string, number] = [key, Number.MAX_SAFE_INTEGER]
    const samples = [...this.#rows.getRange({ start, end })].map(({ value }) => value)
    return statsPoints(samples, { from, now })
  }

  /** @throws STORE_FAILED */
  async forget(address: Address): Promise<void> {
    const key = keyOf(address)
    this.#newest.delete(key)
    await this.#environment.committer.run(() => {
      const range = {
        start: [key, 0] as [string, number],
        end: [key, Number.MAX_SAFE_INTEGER] as [string, number],
      }
      for (const each of [...this.#rows.getKeys(range)]) this.#rows.remove(each)
    })
  }

  /** Not waited for: a report that is not kept must not be sent again. */
  #take(record: NodeRecord): void {
    const { stats, lastSeenAt } = record
    const key = keyOf(record)
    if (stats === null || this.#newest.get(key) === stats.at) return
    this.#newest.set(key, stats.at)
    const sample = Object.fromEntries(KEPT.map(name => [name, stats[name]])) as Omit<StatsSample, 'at'>
    const slot = Math.floor(lastSeenAt / SLOT_MS) * SLOT_MS
    this.#environment.committer
      .run(() => {
        this.#rows.put([key, slot], { ...sample, at: lastSeenAt })
        const old = { start: [key, 0] as [string, number], end: [key, slot - KEEP_MS] as [string, number] }
        for (const each of [...this.#rows.getKeys({ ...old, limit: PRUNED_AT_ONCE })]) this.#rows.remove(each)
      })
      .catch(err => this.#log.warn({ err, site: record.site, node: record.node }, 'report not kept'))
  }
}
