import { join } from 'node:path'
import sharp from 'sharp'
import { random } from './graphs.ts'

/** Writes `count` small JPEG pictures of coloured blocks. */
export async function writePictures(dir: string, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const next = random(at + 1)
    const pixels = Buffer.from(Uint8Array.from({ length: 4 * 4 * 3 }, () => next() * 256))
    await sharp(pixels, { raw: { width: 4, height: 4, channels: 3 } })
      .resize(32, 32, { kernel: 'nearest' })
      .jpeg()
      .toFile(join(dir, `${String(at).padStart(3, '0')}.jpg`))
  }
}
