import type { Dirent } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, fault, messageOf } from '@sightline/core'
import type { Database, RootDatabase } from 'lmdb'
import { readNote, type SnapshotNote } from './snapshot-note.ts'

/** Looking through the data directory is work: it is done so often at most. */
const KEPT_MS = 10_000
/** A disk this full, or below twice the watermark, is low: there is still time to act. */
const LOW_SHARE = 0.05
/** POSIX: `st_blocks` counts these, whatever the file system's own. */
const BLOCK_BYTES = 512
/** Folders of the data directory that are listed by name; everything else is one sum. */
const PARTS = ['store', 'index', 'rules', 'models', 'model'] as const

export type DiskState = 'ok' | 'low' | 'refusing'

export interface TableSize {
  readonly count: number
  readonly bytes: number
}

export interface StorageFigures {
  readonly disk: {
    readonly freeBytes: number
    readonly totalBytes: number
    /** Below this much free space the store refuses every write. */
    readonly minFreeBytes: number
    readonly state: DiskState
  }
  /** Bytes on disk of each part of the data directory. */
  readonly parts: Readonly<Record<(typeof PARTS)[number] | 'other', number>>
  /** Of the store, what takes up most. */
  readonly thumbnails: TableSize
  readonly vectors: TableSize
  readonly snapshot: SnapshotNote | undefined
}

export interface StorageReportOptions {
  readonly dataDir: string
  readonly root: RootDatabase
  readonly minFreeBytes: number
  readonly clock: Pick<Clock, 'monotonic'>
}

/** How full the disk is, and of what. */
export class StorageReport {
  readonly #options: StorageReportOptions
  #measured: { readonly atMs: number; readonly figures: Promise<StorageFigures> } | undefined

  constructor(options: StorageReportOptions) {
    this.#options = options
  }

  /** As of ten seconds ago at most. @throws STORE_FAILED when the data directory cannot be read */
  read(): Promise<StorageFigures> {
    const atMs = this.#options.clock.monotonic()
    if (this.#measured === undefined || atMs - this.#measured.atMs >= KEPT_MS) {
      const figures = this.#measure()
      this.#measured = { atMs, figures }
      figures.catch(() => {
        this.#measured = undefined
      })
    }
    return this.#measured.figures
  }

  async #measure(): Promise<StorageFigures> {
    const { dataDir, root, minFreeBytes } = this.#options
    try {
      const { bavail, blocks, bsize } = await statfs(dataDir)
      const disk = { freeBytes: bavail * bsize, totalBytes: blocks * bsize, minFreeBytes }
      const entries = await readdir(dataDir)
      const parts: Record<keyof StorageFigures['parts'], number> = {
        store: 0,
        index: 0,
        rules: 0,
        models: 0,
        model: 0,
        other: 0,
      }
      for (const name of entries)
        parts[PARTS.find(part => part === name) ?? 'other'] += await bytesBelow(join(dataDir, name))
      return {
        disk: { ...disk, state: stateOf(disk) },
        parts,
        thumbnails: tableSize(root.openDB('thumbnails', { encoding: 'binary' })),
        vectors: tableSize(root.openDB('vectors', { encoding: 'binary' })),
        snapshot: await readNote(dataDir),
      }
    } catch (cause) {
      throw fault('STORE_FAILED', `${dataDir} cannot be measured: ${messageOf(cause)}`, { cause })
    }
  }
}

export function stateOf(disk: Omit<StorageFigures['disk'], 'state'>): DiskState {
  const { freeBytes, totalBytes, minFreeBytes } = disk
  if (freeBytes < minFreeBytes) return 'refusing'
  return freeBytes < Math.max(2 * minFreeBytes, LOW_SHARE * totalBytes) ? 'low' : 'ok'
}

function tableSize(table: Database<Buffer, number>): TableSize {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages, entryCount } =
    table.getStats() as Record<string, number>
  const pages = (treeBranchPageCount ?? 0) + (treeLeafPageCount ?? 0) + (overflowPages ?? 0)
  return { count: entryCount ?? 0, bytes: pages * (pageSize ?? 0) }
}

/** Of a file, or of all below a folder. What goes away meanwhile counts nothing. */
async function bytesBelow(path: string): Promise<number> {
  let below: Dirent[] | undefined
  try {
    below = await readdir(path, { withFileTypes: true, recursive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 0
    if (code !== 'ENOTDIR') throw error
  }
  const files = below?.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  let sum = 0
  for (const file of files ?? [path]) {
    const { blocks } = await stat(file).catch(() => ({ blocks: 0 }))
    sum += blocks * BLOCK_BYTES
  }
  return sum
}
