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
  /** Records dropped since the outbox was made, for want of space or because they could not be read. */
  dropped: number
  /** Of those, steps of incidents. */
  droppedEvents: number
  /** Frames that lost their thumbnail for want of space. */
  droppedThumbnails: number
}

/** What may be dropped, in this order. */
export type Droppable = 'thumbnail' | RecordKind
export const DROP_ORDER: readonly Droppable[] = ['thumbnail', 'frame', 'event']

const NO_TOTALS: Totals = {
  next: 1,
  records: 0,
  bytes: 0,
  dropped: 0,
  droppedEvents: 0,
  droppedThumbnails: 0,
}

type Table = Database<Buffer, number>

/** The outbox's tables. Whatever takes `totals` belongs into a write transaction and keeps them right. */
export class Ledger {
  readonly #meta: Database<Readonly<Totals>, string>
  readonly #tables: Readonly<Record<RecordKind, Table>>
  /** JPEG by the seq of its frame: apart, so that it can go without the frame. */
  readonly #thumbnails: Table
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
    this.#thumbnails = env.openDB('thumbnails', { encoding: 'binary' })
    this.#index = env.openDB('index', {})
    this.#open = env.openDB('open', { encoding: 'binary' })
    this.#skipped = new SkippedRanges(env.openDB('skipped', {}))
  }

  totals(): Readonly<Totals> {
    return { ...NO_TOTALS, ...this.#meta.get('totals') }
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

  putThumbnail(totals: Totals, seq: number, jpeg: Uint8Array): void {
    this.#thumbnails.putSync(seq, Buffer.from(jpeg))
    totals.bytes += diskBytes(jpeg)
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
    const kind = this.#remove(totals, seq)
    if (kind === undefined) return
    this.#skipped.add(seq)
    totals.dropped++
    if (kind === 'event') totals.droppedEvents++
  }

  /** Drops the oldest of the first kind, then of the next, until at most `maxBytes` are used. */
  shrinkTo(totals: Totals, maxBytes: number, kinds: readonly Droppable[] = DROP_ORDER): void {
    for (const kind of kinds) {
      const table = kind === 'thumbnail' ? this.#thumbnails : this.#tables[kind]
      while (totals.bytes > maxBytes) {
        const [oldest] = table.getKeys({ limit: 1 })
        if (oldest === undefined) break
        if (kind !== 'thumbnail') this.drop(totals, oldest)
        else if (this.#removeThumbnail(totals, oldest)) totals.droppedThumbnails++
      }
    }
  }

  /** Ascending. */
  keys(kind: RecordKind, range: { start?: number; end?: number; limit?: number }): Iterable<number> {
    return this.#tables[kind].getKeys(range)
  }

  get(kind: RecordKind, seq: number): Buffer | undefined {
    return this.#tables[kind].get(seq)
  }

  thumbnail(seq: number): Buffer | undefined {
    return this.#thumbnails.get(seq)
  }

  openIncidents(): IncidentStep[] {
    return [...this.#open.getRange({})].map(({ value }) => decodeEvent(value))
  }

  skipped(limit: number): SeqRange[] {
    return this.#skipped.first(limit)
  }

  #remove(totals: Totals, seq: number): RecordKind | undefined {
    const entry = this.#index.get(seq)
    if (entry === undefined) return undefined
    const [kind, bytes] = entry
    this.#tables[kind].removeSync(seq)
    this.#index.removeSync(seq)
    totals.records--
    totals.bytes -= bytes
    if (kind === 'frame') this.#removeThumbnail(totals, seq)
    return kind
  }

  #removeThumbnail(totals: Totals, seq: number): boolean {
    const jpeg = this.#thumbnails.get(seq)
    if (jpeg === undefined) return false
    this.#thumbnails.removeSync(seq)
    totals.bytes -= diskBytes(jpeg)
    return true
  }
}
