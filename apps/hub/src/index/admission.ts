import { fault, isFault, type Log } from '@sightline/core'
import type { IndexEntry, VectorIndex } from './vector-index.ts'
import { similarityOf } from './vector-rows.ts'

/**
 * The entries that are newer than `lastOrd`, checked: a NaN that slips in would make every comparison in a graph false.
 * @throws MODEL_DIM_MISMATCH, MODEL_OUTPUT_INVALID; see `VectorIndex.add`.
 */
export function admissible(entries: readonly IndexEntry[], dim: number, lastOrd: number): IndexEntry[] {
  const fresh: IndexEntry[] = []
  let newest = lastOrd
  for (const entry of entries) {
    if (entry.ord <= newest) continue
    checkVector(entry.vector, dim)
    fresh.push(entry)
    newest = entry.ord
  }
  return fresh
}

export function checkVector(vector: Float32Array, dim: number): void {
  if (vector.length !== dim)
    throw fault('MODEL_DIM_MISMATCH', `a vector of length ${vector.length} does not fit an index of ${dim}`)
  const squared = similarityOf(vector, vector)
  if (!(Math.abs(squared - 1) <= 4e-3))
    throw fault('MODEL_OUTPUT_INVALID', `a vector of norm ${Math.sqrt(squared)} is not of unit length`)
}

/** Adds what the index takes: one entry that it refuses must not keep its neighbours out. @returns what was added */
export async function addSound(
  index: VectorIndex,
  entries: readonly IndexEntry[],
  log: Log,
): Promise<readonly IndexEntry[]> {
  try {
    await index.add(entries)
    return entries
  } catch (error) {
    if (!isFault(error, 'MODEL_DIM_MISMATCH') && !isFault(error, 'MODEL_OUTPUT_INVALID')) throw error
    const added: IndexEntry[] = []
    if (entries.length > 1) for (const entry of entries) added.push(...(await addSound(index, [entry], log)))
    else log.error({ err: error, ord: entries[0]!.ord }, 'frame not indexed')
    return added
  }
}
