import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { FileFacts } from './describe.ts'

/** Undefined when there is no such file. */
export async function hashFile(path: string): Promise<FileFacts | undefined> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
  } catch {
    return undefined
  }
  return { bytes, sha256: hash.digest('hex') }
}
