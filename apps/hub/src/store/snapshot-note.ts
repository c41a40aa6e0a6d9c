import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conforms, isFault } from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { Snapshot } from './snapshot.ts'

/** In the data directory; snapshots leave out what begins with a dot. */
const NOTE_FILE = '.last-snapshot.json'

const SnapshotNote = Type.Object({
  at: Type.String(),
  /** Of the copy; 0 when it failed. */
  bytes: Type.Integer({ minimum: 0 }),
  /** Code of the fault; null when it succeeded. */
  error: Type.Union([Type.String(), Type.Null()]),
})
/** What came of the latest try to take a snapshot. */
export type SnapshotNote = Static<typeof SnapshotNote>

/** Does the copying and leaves a note of it for the hub, which runs in another process. */
export async function withNote(dataDir: string, take: () => Promise<Snapshot>): Promise<Snapshot> {
  try {
    const snapshot = await take()
    const bytes = snapshot.files.reduce((sum, file) => sum + file.bytes, 0)
    await writeNote(dataDir, { at: snapshot.createdAt, bytes, error: null })
    return snapshot
  } catch (error) {
    const code = isFault(error) ? error.code : 'INTERNAL'
    await writeNote(dataDir, { at: new Date().toISOString(), bytes: 0, error: code })
    throw error
  }
}

/** Undefined when none was ever tried. */
export async function readNote(dataDir: string): Promise<SnapshotNote | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(join(dataDir, NOTE_FILE), 'utf8'))
    return conforms(SnapshotNote, note) ? note : undefined
  } catch {
    return undefined
  }
}

/** A copy without a note is a copy all the same: whoever may only read the directory may take one. */
async function writeNote(dataDir: string, note: SnapshotNote): Promise<void> {
  const path = join(dataDir, NOTE_FILE)
  const partial = `${path}.${process.pid}`
  try {
    await writeFile(partial, JSON.stringify(note))
    await rename(partial, path)
  } catch {
    await rm(partial, { force: true }).catch(() => {})
  }
}
