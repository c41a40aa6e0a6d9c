import { createHash } from 'node:crypto'
import { createReadStream, type Dirent, existsSync, readFileSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { conforms, fault, isFault, messageOf } from '@sightline/core'
import { open as openLmdb } from 'lmdb'
import { type Static, Type } from 'typebox'
import { HOLD_FILE, holderOf } from './data-hold.ts'

export const SNAPSHOT_MANIFEST = 'snapshot.json'
const STORE = 'store'
/** Of the data directory: rebuilt from the store, or of one run only. */
const NOT_COPIED = new Set(['index', HOLD_FILE])
/** Of a folder that is an LMDB environment. */
const LMDB_FILE = 'data.mdb'
/** Begins the name of what a restore has not finished. */
const STAGING = '.restore-'

const Snapshot = Type.Object(
  {
    v: Type.Literal(1),
    createdAt: Type.String(),
    version: Type.String(),
    files: Type.Array(
      Type.Object({
        /** Below the snapshot's directory, parts joined by `/`. */
        path: Type.String({ minLength: 1 }),
        bytes: Type.Integer({ minimum: 0 }),
        sha256: Type.String(),
      }),
    ),
  },
  { additionalProperties: false },
)
export type Snapshot = Static<typeof Snapshot>
const SnapshotFile = Type.Object({ snapshot: Snapshot, sha256: Type.String() })

export type SnapshotFailPoint = 'store copied' | 'files copied' | 'restore staged' | 'old data removed'

export interface SnapshotOptions {
  /** Data directory of a hub, which may be running. */
  readonly dataDir: string
  /** Where the snapshot lies or is to lie. */
  readonly dir: string
  /** Called at the points where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: ((name: SnapshotFailPoint) => void) | undefined
}

/**
 * Copies a data directory while the hub runs: each LMDB environment as it is at one moment, everything else file by file,
 * the index not at all. The directory appears under its name when it is complete.
 * @throws SNAPSHOT_REFUSED when there is something already, STORE_FAILED when it cannot be read or written
 */
export async function takeSnapshot({
  dataDir,
  dir,
  version,
  failPoint,
}: SnapshotOptions & { version: string }): Promise<Snapshot> {
  if (!existsSync(join(dataDir, STORE)))
    throw fault('SNAPSHOT_REFUSED', `${dataDir} is not the data directory of a hub`)
  if ((await entriesOf(dir)).length > 0) throw fault('SNAPSHOT_REFUSED', `${dir} is not empty`)
  const partial = `${dir}.partial`
  try {
    await rm(partial, { recursive: true, force: true })
    const names = (await entriesOf(dataDir)).filter(name => !NOT_COPIED.has(name) && !name.startsWith('.'))
    const stores = names.filter(name => existsSync(join(dataDir, name, LMDB_FILE)))
    for (const name of stores) await copyStore(join(dataDir, name), join(partial, name))
    failPoint?.('store copied')
    for (const name of names) {
      if (stores.includes(name)) continue
      for (const path of await filesBelow(join(dataDir, name))) {
        const target = join(partial, relative(dataDir, path))
        await mkdir(dirname(target), { recursive: true })
        await copyFile(path, target)
      }
    }
    failPoint?.('files copied')
    const files: Snapshot['files'] = []
    for (const path of await filesBelow(partial))
      files.push({ path: relative(partial, path).split(sep).join('/'), ...(await digest(path)) })
    const snapshot: Snapshot = { v: 1, createdAt: new Date().toISOString(), version, files }
    await writeFile(
      join(partial, SNAPSHOT_MANIFEST),
      JSON.stringify({ snapshot, sha256: sha256(JSON.stringify(snapshot)) }),
      { flush: true },
    )
    await rm(dir, { recursive: true, force: true })
    await rename(partial, dir)
    return snapshot
  } catch (cause) {
    if (isFault(cause)) throw cause
    throw fault('STORE_FAILED', `the snapshot in ${dir} could not be made: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Puts a snapshot in the place of a data directory. Everything is verified before anything is touched.
 * @throws SNAPSHOT_DAMAGED, SNAPSHOT_REFUSED; STORE_FAILED when it cannot be written: run it again
 */
export async function restoreSnapshot({
  dataDir,
  dir,
  force,
  failPoint,
}: SnapshotOptions & { force: boolean }): Promise<Snapshot> {
  const snapshot = readSnapshot(dir)
  for (const file of snapshot.files) {
    const found = await digest(join(dir, file.path)).catch((cause: unknown) => {
      throw fault('SNAPSHOT_DAMAGED', `${file.path}: ${messageOf(cause)}`, { cause })
    })
    if (found.bytes !== file.bytes || found.sha256 !== file.sha256)
      throw fault('SNAPSHOT_DAMAGED', `${file.path} is not what was copied`)
  }
  const running = holderOf(dataDir)
  if (running !== undefined && !force)
    throw fault('SNAPSHOT_REFUSED', `a hub runs on ${dataDir} (process ${running})`)
  const old = await entriesOf(dataDir)
  if (old.some(name => !name.startsWith(STAGING)) && !force)
    throw fault('SNAPSHOT_REFUSED', `${dataDir} is not empty`)
  try {
    await replaceContent({ dataDir, dir, failPoint }, snapshot, old)
    return snapshot
  } catch (cause) {
    throw fault('STORE_FAILED', `${dataDir} could not be restored: ${messageOf(cause)}`, { cause })
  }
}

/** The directory itself stays: it may be a mounted volume. */
async function replaceContent(
  { dataDir, dir, failPoint }: SnapshotOptions,
  { files }: Snapshot,
  old: readonly string[],
): Promise<void> {
  const staging = join(dataDir, `${STAGING}${process.pid}`)
  await rm(staging, { recursive: true, force: true })
  for (const { path } of files) {
    await mkdir(dirname(join(staging, path)), { recursive: true })
    await copyFile(join(dir, path), join(staging, path))
  }
  failPoint?.('restore staged')
  for (const name of old) await rm(join(dataDir, name), { recursive: true, force: true })
  failPoint?.('old data removed')
  for (const name of await entriesOf(staging)) await rename(join(staging, name), join(dataDir, name))
  await rm(staging, { recursive: true })
}

/** What its manifest says, which is verified; the files are not. @throws SNAPSHOT_DAMAGED */
export function readSnapshot(dir: string): Snapshot {
  let file: unknown
  try {
    file = JSON.parse(readFileSync(join(dir, SNAPSHOT_MANIFEST), 'utf8'))
  } catch (cause) {
    throw fault('SNAPSHOT_DAMAGED', `${dir} is not a snapshot: ${messageOf(cause)}`, { cause })
  }
  if (!conforms(SnapshotFile, file) || file.sha256 !== sha256(JSON.stringify(file.snapshot)))
    throw fault('SNAPSHOT_DAMAGED', `${join(dir, SNAPSHOT_MANIFEST)} was altered`)
  const { snapshot } = file
  const outside = snapshot.files.find(
    ({ path }) => path.split(/[/\\]/).includes('..') || path.startsWith('/'),
  )
  if (outside !== undefined) throw fault('SNAPSHOT_DAMAGED', `${outside.path} leads out of the snapshot`)
  return snapshot
}

/** As of one moment, without what was deleted: LMDB leaves out its free pages. */
async function copyStore(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  const root = openLmdb({ path: from, readOnly: true, overlappingSync: false, compression: false })
  try {
    await root.backup(to, true)
  } finally {
    await root.close()
  }
  await flush(join(to, LMDB_FILE))
}

async function copyFile(from: string, to: string): Promise<void> {
  // Private keys stay readable by their owner alone.
  const { mode } = await stat(from)
  const target = await open(to, 'w', mode & 0o777)
  await pipeline(createReadStream(from), target.createWriteStream({ flush: true }))
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

async function digest(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

async function filesBelow(path: string): Promise<string[]> {
  let entries: Dirent[]
  try {
    entries = await readdir(path, { withFileTypes: true, recursive: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
  // One that is being written is not part of anything yet.
  return entries
    .filter(entry => entry.isFile() && !entry.name.endsWith('.tmp'))
    .map(entry => join(entry.parentPath, entry.name))
}

async function entriesOf(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
