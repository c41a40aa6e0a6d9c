import type { RecordStore } from '../store/record-store.ts'

/** Read between two turns of the event loop: some milliseconds. */
const PORTION = 2048

/** Numbers of all frames with a tag, ascending. Portion by portion: a search must not hold up the event loop. */
export async function taggedOrds(store: Pick<RecordStore, 'tagged'>, tag: string): Promise<number[]> {
  const ords: number[] = []
  for (;;) {
    const portion = store.tagged(tag, ords.at(-1) ?? 0, PORTION)
    ords.push(...portion)
    if (portion.length < PORTION) return ords
    await new Promise(resolve => setImmediate(resolve))
  }
}
