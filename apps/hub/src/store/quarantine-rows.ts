import type { Tables } from './lmdb-tables.ts'
import type { QuarantineEntry } from './record-store.ts'

const MAX_QUARANTINED = 1000

/** Inside a transaction; the oldest makes room. */
export function putQuarantined({ counters, quarantine }: Tables, entry: QuarantineEntry): void {
  const number = (counters.get('quarantine') ?? 0) + 1
  counters.put('quarantine', number)
  quarantine.put(number, entry)
  quarantine.remove(number - MAX_QUARANTINED)
}

/** Inside a transaction; how many there were. */
export function removeQuarantined(
  { quarantine }: Tables,
  matches: (entry: QuarantineEntry) => boolean,
): number {
  const found = [...quarantine.getRange()].filter(({ value }) => matches(value))
  for (const { key } of found) quarantine.remove(key)
  return found.length
}
