import { execFile } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const MIB = 2 ** 20
const SIZE_BYTES = 192 * MIB
const WATERMARK_BYTES = 48 * MIB
const run = promisify(execFile)

/** A disk that a test may fill. */
export interface SmallDisk {
  readonly kind: string
  readonly dir: string
  /** Free space below which the product is to write no more. */
  readonly minFreeBytes: number
  /** Fills it until about `leaveBytes` are free. */
  fill(leaveBytes: number): Promise<void>
  /** Makes room again. */
  empty(): Promise<void>
  remove(): Promise<void>
}

/**
 * A tmpfs of its own where mounting is allowed. Elsewhere the disk that is there, with the watermark set a little below
 * what is free at present: then a ballast file crosses it, and the disk is never quite full.
 */
export async function smallDisk(dir: string): Promise<SmallDisk> {
  await mkdir(dir, { recursive: true })
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'tmpfs', dir]).then(
    () => true,
    () => false,
  )
  const ballast = join(dir, 'ballast')
  const empty = () => rm(ballast, { force: true })
  if (mounted) {
    return {
      kind: 'tmpfs',
      dir,
      minFreeBytes: WATERMARK_BYTES,
      fill: leaveBytes => grow(ballast, freeBytes(dir) - leaveBytes),
      empty,
      remove: async () => {
        await run('umount', ['-l', dir])
      },
    }
  }
  const minFreeBytes = Math.max(0, freeBytes(dir) - 512 * MIB)
  return {
    kind: 'watermark on the real disk',
    dir,
    minFreeBytes,
    fill: () => grow(ballast, freeBytes(dir) - minFreeBytes + 64 * MIB),
    empty,
    remove: empty,
  }
}

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

/** Writes, as holes take no space. */
async function grow(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'a')
  const chunk = Buffer.alloc(MIB, 1)
  try {
    for (let left = bytes; left > 0; left -= chunk.length)
      await file.write(chunk, 0, Math.min(left, chunk.length))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    await file.close()
  }
}
