import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isFault } from '@sightline/core'
import type { Database } from 'lmdb'
import type { StoreEnvironment } from './lmdb-store.ts'
import { readSnapshot, SNAPSHOT_MANIFEST } from './snapshot.ts'

/** The oldest are forgotten; their directories are not touched. */
const MAX_KNOWN = 1000

/** A snapshot that was made of this hub's data. */
export interface KnownSnapshot {
  /** Where it was made; a copy elsewhere is unknown. */
  readonly dir: string
  /** As in its manifest, RFC 3339. */
  readonly createdAt: string
  /** When it may be removed, milliseconds since the epoch; null: somebody removes it by hand. */
  readonly keepUntil: number | null
  readonly bytes: number
}

export type FoundSnapshot = KnownSnapshot & {
  /** Whether something lies there that can be seen from here. */
  readonly found: boolean
}

/** The snapshots that were made, so that a deletion can say where its data still lie. */
export class SnapshotLedger {
  readonly #environment: StoreEnvironment
  /** Directory -> what was made there last. */
  readonly #known: Database<KnownSnapshot, string>

  constructor({ environment }: { environment: StoreEnvironment }) {
    this.#environment = environment
    this.#known = environment.root.openDB('snapshots', {})
  }

  /** @throws STORE_FAILED */
  async add(snapshot: KnownSnapshot): Promise<void> {
    await this.#environment.committer.run(() => {
      this.#known.put(snapshot.dir, snapshot)
      for (const { dir } of this.list().slice(MAX_KNOWN)) this.#known.remove(dir)
    })
  }

  /** Newest first. */
  list(): FoundSnapshot[] {
    return [...this.#known.getRange()]
      .map(({ value }) => ({ ...value, found: existsSync(join(value.dir, SNAPSHOT_MANIFEST)) }))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  }

  /**
   * Removes the directories of those whose time is over, and forgets them. What is not there, or is another snapshot than
   * the one that was made, is left alone and stays known.
   * @throws STORE_FAILED
   */
  async prune(now: number): Promise<FoundSnapshot[]> {
    const over = this.list().filter(
      ({ keepUntil, found, ...known }) =>
        found && keepUntil !== null && keepUntil <= now && isWhatWasMade(known),
    )
    for (const { dir } of over) await rm(dir, { recursive: true, force: true })
    await this.#environment.committer.run(() => {
      for (const { dir } of over) this.#known.remove(dir)
    })
    return over
  }
}

function isWhatWasMade({ dir, createdAt }: Pick<KnownSnapshot, 'dir' | 'createdAt'>): boolean {
  try {
    return readSnapshot(dir).createdAt === createdAt
  } catch (error) {
    if (isFault(error, 'SNAPSHOT_DAMAGED')) return false
    throw error
  }
}
