import type { SeqRange } from '@sightline/core'
import type { Database, RootDatabase } from 'lmdb'
import type { IncidentStep } from '../moderation/incidents.ts'
import { decodeEvent, diskBytes, encodeEvent } from './records.ts'
import { SkippedRanges } from './skipped-ranges.ts'

export type RecordKind = 'frame' | 'event'

/** Committed with every change, so that counters and records can never disagree. */
export interface Totals {
  /** The number that the next record will get. */
  next: number
  records: number
  /** On disk. */
  bytes: number
  /** Dropped since the outbox was made, for want of space or because they could not be read. */
  dropped: number
}

type Table = Database<Buffer, number>

/** The outbox's tables. Whatever takes `totals` belongs into a write transaction and keeps them right. */
export class Ledger {
  readonly #meta: Database<Readonly<Totals>, string>
  readonly #tables: Readonly<Record<RecordKind, Table>>
  /** seq -> [kind, bytes on disk]. */
  readonly #index: Database<[RecordKind, number], number>
  /** Incident id -> last step of an incident that has not ended. */
  readonly #open: Database<Buffer, string>
  readonly #skipped: SkippedRanges

  constructor(env: RootDatabase) {
    this.#meta = env.openDB('meta', {})
    const frame: Table = env.openDB('frames', { encoding: 'binary' })
    const event: Table = env.openDB('events', { encoding: 'binary' })
    this.#tables = { frame, event }
    this.#index = env.openDB('index', {})
    this.#open = env.openDB('open', { encoding: 'binary' })
    this.#skipped = new SkippedRanges(env.openDB('skipped', {}))
  }

  totals(): Readonly<Totals> {
    return this.#meta.get('totals') ?? { next: 1, records: 0, bytes: 0, dropped: 0 }
  }

  saveTotals(totals: Totals): void {
    this.#meta.putSync('totals', totals)
  }

  put(totals: Totals, kind: RecordKind, value: Uint8Array): number {
    const seq = totals.next++
    const bytes = diskBytes(value)
    this.#tables[kind].putSync(seq, Buffer.from(value))
    this.#index.putSync(seq, [kind, bytes])
    totals.records++
    totals.bytes += bytes
    return seq
  }

  putEvent(totals: Totals, step: IncidentStep): void {
    const value = encodeEvent(step)
    this.put(totals, 'event', value)
    if (step.phase === 'end') this.#open.removeSync(step.incident)
    else this.#open.putSync(step.incident, Buffer.from(value))
  }

  /** Takes out what arrived: records and skipped numbers alike. */
  removeRange(totals: Totals, [first, last]: SeqRange): void {
    for (const seq of [...this.#index.getKeys({ start: first, end: last + 1 })]) this.#remove(totals, seq)
    this.#skipped.remove(first, last)
  }

  /** Gives a record up; its number is kept as skipped. */
  drop(totals: Totals, seq: number): void {
    if (!this.#remove(totals, seq)) return
    this.#skipped.add(seq)
    totals.dropped++
  }

  /** Drops the oldest frames, and when there are none left the oldest events, until at most `maxBytes` are used. */
  shrinkTo(totals: Totals, maxBytes: number): void {
    while (totals.bytes > maxBytes) {
      const [oldest] = [...this.keys('frame', { limit: 1 }), ...this.keys('event', { limit: 1 })]
      if (oldest === undefined) return
      this.drop(totals, oldest)
    }
  }

  /** Ascending. */
  keys(kind: RecordKind, range: { start?: number; end?: number; limit?: number }): Iterable<number> {
    return this.#tables[kind].getKeys(range)
  }

  get(kind: RecordKind, seq: number): Buffer | undefined {
    return this.#tables[kind].get(seq)
  }

  openIncidents(): IncidentStep[] {
    return [...this.#open.getRange({})].map(({ value }) => decodeEvent(value))
  }

  skipped(limit: number): SeqRange[] {
    return this.#skipped.first(limit)
  }

  #remove(totals: Totals, seq: number): boolean {
    const entry = this.#index.get(seq)
    if (entry === undefined) return false
    const [kind, bytes] = entry
    this.#tables[kind].removeSync(seq)
    this.#index.removeSync(seq)
    totals.records--
    totals.bytes -= bytes
    return true
  }
}
