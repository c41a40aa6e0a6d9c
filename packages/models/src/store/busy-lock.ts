import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { fault } from '@sightline/core/errors.js'
import { errnoOf } from './atomic-file.ts'

const BEAT_MS = 5_000
/** Four missed beats: the holder is gone, wherever it ran. */
const STALE_MS = 20_000

/** Held by this process, by path: its own pid proves nothing, since containers start every process as pid 1. */
const held = new Set<string>()

/**
 * One writer per model. The file names the holder and is touched while it works; a holder on this machine whose process
 * has ended, or one that was silent for 20 seconds, is taken over.
 * @returns the release
 * @throws MODEL_PULL_BUSY
 */
export async function lockModel(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  if (held.has(path)) throw busy(path, `this process (${process.pid})`)
  held.add(path)
  try {
    if (!(await create(path))) {
      await removeStale(path)
      if (!(await create(path))) throw busy(path, 'another process')
    }
  } catch (error) {
    held.delete(path)
    throw error
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, BEAT_MS)
  beat.unref()
  return async () => {
    clearInterval(beat)
    held.delete(path)
    await rm(path, { force: true })
  }
}

async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(JSON.stringify({ host: hostname(), pid: process.pid }))
    } finally {
      await file.close()
    }
    return true
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false
    throw fault('MODEL_STORE_FAILED', `cannot write ${path}`, { cause })
  }
}

/** Moves a dead holder's file away; two processes that try it at once cannot both succeed. @throws MODEL_PULL_BUSY */
async function removeStale(path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const { host, pid } = parse(text)
  const silentMs = Date.now() - ((await stat(path).catch(() => undefined)) ?? { mtimeMs: 0 }).mtimeMs
  const gone = host === hostname() && pid !== undefined && !isRunning(pid)
  if (!gone && silentMs < STALE_MS) throw busy(path, `process ${pid ?? '?'} on ${host ?? '?'}`)
  const aside = `${path}.${process.pid}.stale`
  await rename(path, aside).catch(() => undefined)
  const moved = await readFile(aside, 'utf8').catch(() => undefined)
  // Somebody else took over between the read and the rename: give the file back.
  if (moved !== undefined && moved !== text) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
}

function parse(text: string): { host?: string; pid?: number } {
  try {
    return JSON.parse(text) as { host?: string; pid?: number }
  } catch {
    return {}
  }
}

function isRunning(pid: number): boolean {
  // Not held by this process, or the caller would have been refused before: a leftover of an earlier container.
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

const busy = (path: string, holder: string) =>
  fault('MODEL_PULL_BUSY', `${holder} is working on this model (${path})`)
