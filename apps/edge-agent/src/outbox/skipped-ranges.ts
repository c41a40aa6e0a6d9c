import type { SeqRange } from '@sightline/core'
import type { Database } from 'lmdb'

/** Sequence numbers that will never be sent, as ranges in a table: first -> last. Adjacent ranges are one. */
export class SkippedRanges {
  readonly #table: Database<number, number>

  constructor(table: Database<number, number>) {
    this.#table = table
  }

  /** The ranges with the lowest numbers. */
  first(limit: number): SeqRange[] {
    return [...this.#table.getRange({ limit })].map(({ key, value }) => [key, value] as const)
  }

  /** Within a write transaction. */
  add(seq: number): void {
    const before = this.#atOrBefore(seq)
    if (before !== undefined && before.value >= seq) return
    const next = this.#table.get(seq + 1)
    if (next !== undefined) this.#table.removeSync(seq + 1)
    const last = next ?? seq
    this.#table.putSync(before?.value === seq - 1 ? before.key : seq, last)
  }

  /** Within a write transaction. Takes `first` to `last` out, cutting ranges where need be. */
  remove(first: number, last: number): void {
    const before = this.#atOrBefore(first)
    const start = before?.key ?? first
    for (const { key, value } of [...this.#table.getRange({ start, end: last + 1 })]) {
      if (value < first) continue
      this.#table.removeSync(key)
      if (key < first) this.#table.putSync(key, first - 1)
      if (value > last) this.#table.putSync(last + 1, value)
    }
  }

  #atOrBefore(seq: number): { key: number; value: number } | undefined {
    const [entry] = this.#table.getRange({ start: seq, reverse: true, limit: 1 })
    return entry
  }
}
