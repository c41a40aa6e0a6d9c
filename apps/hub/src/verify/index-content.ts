import { isFault, messageOf } from '@sightline/core'
import type { Faults } from './faults.ts'

/** What an index holds, read without changing it, also while its hub runs. */
export interface IndexContent {
  /** Those with a graph: sealed ones, or partitions in PostgreSQL. */
  readonly segments: number
  /** Of the model whose vectors these are; empty where nothing was indexed yet. */
  readonly fingerprint: string
  /** Every stored frame of the model up to here ought to be in it. */
  readonly upTo: number
  readonly ords: ReadonlySet<number>
  /** Of each part that is not what it should be, why. What is missing is then not told. */
  readonly damage: readonly string[]
}

/** One kind of index, for `verifyData`. */
export interface IndexReader {
  readonly kind: 'segments' | 'postgres'
  /** @throws INDEX_UNAVAILABLE */
  read(): Promise<IndexContent>
}

export interface IndexReport {
  readonly kind: IndexReader['kind']
  readonly segments: number
  /** Vectors that outlive a restart: in sealed segments, or in the database. */
  readonly sealed: number
  /** Of those, frames that were deleted since: the hub takes them out when it starts. */
  readonly deleted: number
}

export const NOTHING_INDEXED: IndexContent = {
  segments: 0,
  fingerprint: '',
  upTo: 0,
  ords: new Set(),
  damage: [],
}

/** An index that cannot be reached is a fault like others: the store is checked nevertheless. */
export async function readIndex(index: IndexReader, faults: Faults): Promise<IndexContent> {
  try {
    return await index.read()
  } catch (error) {
    if (!isFault(error, 'INDEX_UNAVAILABLE')) throw error
    faults.add('index out of reach', messageOf(error))
    return NOTHING_INDEXED
  }
}

/** @param ordsOf stored frames by the model that made their vectors, read after the index: all that it has was stored */
export function compareIndex(
  { fingerprint, upTo, ords, damage }: IndexContent,
  ordsOf: ReadonlyMap<string, readonly number[]>,
  faults: Faults,
): { deleted: number } {
  for (const part of damage) faults.add('index damaged', part)
  const stored = new Set(ordsOf.get(fingerprint))
  if (damage.length === 0)
    for (const ord of stored)
      if (ord <= upTo && !ords.has(ord)) faults.add('missing from the index', String(ord))
  let deleted = 0
  for (const ord of ords) if (!stored.has(ord)) deleted++
  return { deleted }
}
