import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

export const MODEL_DIR = fileURLToPath(new URL('../models/quantized/sightline-mini/', import.meta.url))
export const SAMPLES = fileURLToPath(new URL('../deploy/samples/cameras/', import.meta.url))

/** What cameras commonly give: JPEGs of 1280x720, made from the sample photos, another photo each. */
export async function cameraPictures(count: number): Promise<Buffer[]> {
  const files = readdirSync(SAMPLES)
    .flatMap(camera => readdirSync(join(SAMPLES, camera)).map(file => join(SAMPLES, camera, file)))
    .sort()
  return await Promise.all(
    Array.from({ length: count }, (_, i) =>
      sharp(files[i % files.length]!)
        .resize(1280, 720, { fit: 'cover' })
        .jpeg({ quality: 85 })
        .toBuffer(),
    ),
  )
}

export async function writePictures(dir: string, pictures: readonly Uint8Array[]): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const [i, picture] of pictures.entries()) {
    await writeFile(join(dir, `${String(i).padStart(4, '0')}.jpg`), picture)
  }
  return dir
}
