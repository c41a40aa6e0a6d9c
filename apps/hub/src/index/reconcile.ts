import type { Log } from '@sightline/core'
import type { RecordStore } from '../store/record-store.ts'
import type { VectorIndex } from './vector-index.ts'

/** Numbers compared between two turns of the event loop. */
const PAGE = 4096

interface Reconciliation {
  readonly store: Pick<RecordStore, 'ords'>
  readonly index: Pick<VectorIndex, 'ords' | 'remove'>
  readonly log: Log
  readonly stopped: () => boolean
}

/** Deletions are the store's: what a former run had indexed and the store has no more is removed. */
export async function removeMissing({ store, index, log, stopped }: Reconciliation): Promise<void> {
  let removed = 0
  for await (const ords of missingFrom(store, index)) {
    removed += await index.remove(ords)
    if (stopped()) return
  }
  if (removed > 0) log.info({ removed }, 'deleted frames removed from the index')
}

/** Numbers that the index has and the store has not, a page at a time: what was deleted while nobody told the index. */
async function* missingFrom(
  store: Pick<RecordStore, 'ords'>,
  index: Pick<VectorIndex, 'ords'>,
): AsyncGenerator<number[]> {
  for (let after = 0; ; ) {
    const indexed = await index.ords(after, PAGE)
    const last = indexed.at(-1)
    if (last === undefined) return
    const stored = storedUpTo(store, after, last)
    const missing = indexed.filter(ord => !stored.has(ord))
    if (missing.length > 0) yield missing
    await new Promise(resolve => setImmediate(resolve))
    after = last
  }
}

/** Other models' frames and deleted ones make this a little more or fewer than a page. */
function storedUpTo(store: Pick<RecordStore, 'ords'>, after: number, upTo: number): Set<number> {
  const stored = new Set<number>()
  for (let from = after; from < upTo; ) {
    const page = store.ords({ after: from, upTo, limit: PAGE })
    for (const ord of page) stored.add(ord)
    if (page.length < PAGE) break
    from = page.at(-1)!
  }
  return stored
}
