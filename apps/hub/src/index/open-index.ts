import { join } from 'node:path'
import type { ClipModel, Log } from '@sightline/core'
import type { RecordStore } from '../store/record-store.ts'
import { type NameTable, newNameTable } from './name-table.ts'
import { openSegmentedIndex } from './segmented-index.ts'
import type { SegmentedIndexOptions } from './segmented-index-options.ts'
import type { VectorIndex } from './vector-index.ts'

export interface OpenIndexOptions {
  /** `dir` holds index files only and may be deleted while the hub is down. */
  readonly settings: Pick<
    SegmentedIndexOptions,
    'dir' | 'sealAt' | 'maxSegment' | 'readers' | 'spawn' | 'failPoint'
  >
  readonly store: Pick<RecordStore, 'lastOrd'>
  readonly model: Pick<ClipModel, 'fingerprint' | 'dim'>
  readonly names: NameTable
  readonly log: Log
  /** Opens the index for a generation of names. Default: segments in `settings.dir`. */
  readonly open?: ((generation: string) => Promise<VectorIndex>) | undefined
}

/**
 * The index as it was left, or an empty one under new names where it knows more than the store: then it is of another
 * store, or that was restored from a backup, and its numbers mean something else.
 * @throws INDEX_UNAVAILABLE where the index lives elsewhere and cannot be reached
 */
export async function openIndex(
  options: OpenIndexOptions,
): Promise<{ names: NameTable; index: VectorIndex }> {
  const { settings, store, model, names, log } = options
  const { fingerprint, dim } = model
  const open =
    options.open ??
    ((generation: string) => openSegmentedIndex({ ...settings, fingerprint, dim, generation, log }))
  const index = await open(names.generation)
  const newest = store.lastOrd()
  if (index.lastOrd <= newest) return { names, index }
  log.warn({ indexed: index.lastOrd, stored: newest }, 'index is ahead of the store: rebuilt')
  await index.close()
  const fresh = newNameTable(join(settings.dir, 'sources.json'))
  return { names: fresh, index: await open(fresh.generation) }
}
