import { dot, fault } from '@sightline/core'
import type { IndexEntry } from './vector-index.ts'

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
  const squared = dot(vector, vector)
  if (!(Math.abs(squared - 1) <= 4e-3))
    throw fault('MODEL_OUTPUT_INVALID', `a vector of norm ${Math.sqrt(squared)} is not of unit length`)
}
