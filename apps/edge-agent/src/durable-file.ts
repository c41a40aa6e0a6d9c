import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** For files with secrets. */
export const PRIVATE = 0o600

/** After a power cut the file holds either what it held before or `bytes`, never a part of them. */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o666): Promise<void> {
  const draft = `${path}.tmp`
  const file = await open(draft, 'w', mode)
  try {
    // A draft that was left behind keeps the mode that it had.
    if (mode === PRIVATE) await file.chmod(mode)
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncDirectory(dirname(path))
}

/** The rename itself is durable only once its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
