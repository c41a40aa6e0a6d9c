import { statfs } from 'node:fs/promises'
import { fault } from '@sightline/core/errors.js'

/** Left free for the databases on the same disk: LMDB does not survive a full one. */
export const RESERVE_BYTES = 64 * 2 ** 20

/** @throws DISK_FULL when `neededBytes` do not fit beside the reserve */
export async function requireSpace(dir: string, neededBytes: number, reserveBytes: number): Promise<void> {
  // Not every file system tells; the write itself then finds out.
  const found = await statfs(dir).catch(() => undefined)
  if (!found) return
  const freeBytes = found.bavail * found.bsize
  if (freeBytes >= neededBytes + reserveBytes) return
  throw fault(
    'DISK_FULL',
    `${megabytes(neededBytes)} are needed in ${dir} beside a reserve of ${megabytes(reserveBytes)}; ${megabytes(freeBytes)} are free`,
    { details: { neededBytes, reserveBytes, freeBytes } },
  )
}

export function megabytes(bytes: number): string {
  if (bytes > 0 && bytes < 1e5) return `${(bytes / 1000).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
}
