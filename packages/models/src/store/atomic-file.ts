import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fault, isFault, messageOf } from '@sightline/core/errors.js'

/** Whole or not at all, also after a power cut: temporary file, fsync, rename, fsync of the folder. @throws DISK_FULL, MODEL_STORE_FAILED */
export async function writeFileAtomic(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.tmp`
  try {
    const file = await open(part, 'w', 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(part, path)
    await syncDir(dirname(path))
  } catch (cause) {
    await rm(part, { force: true }).catch(() => undefined)
    throw storeFault(path, cause)
  }
}

/** A rename survives a power cut only once its folder is on disk. */
export async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems (and Windows) have no fsync for folders.
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** A failure of the local disk, as opposed to one of the network. Faults pass through. */
export function storeFault(path: string, cause: unknown) {
  if (isFault(cause)) return cause
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errnoOf(cause) ?? '')
  return full
    ? fault('DISK_FULL', `no space left while writing ${path}`, { cause })
    : fault('MODEL_STORE_FAILED', `cannot write ${path}: ${messageOf(cause)}`, { cause })
}
