import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { preprocessImage, toTensor } from '@sightline/core/clip/preprocess.js'
import { fault, isFault } from '@sightline/core/errors.js'

export interface PictureSettings {
  /** Side in pixels. */
  readonly size: number
  /** crop: shorter side to `size`, then centre crop (CLIP). squash: both sides to `size`. */
  readonly resize: 'crop' | 'squash'
  /** Per channel, of values in 0..1. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

const PICTURE = /\.(jpe?g|png|webp)$/i

/** Pictures in `dir` and below, sorted, so that two runs choose the same ones. @throws QUANTISE_NO_SAMPLES */
export async function listPictures(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true })
    const files = entries.filter(entry => entry.isFile() && PICTURE.test(entry.name))
    return files.map(entry => join(entry.parentPath, entry.name)).sort()
  } catch (cause) {
    throw fault('QUANTISE_NO_SAMPLES', `cannot read the picture folder ${dir}`, { cause })
  }
}

/** `count` entries spread evenly over the list, so that a folder sorted by scene is covered. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items]
  return Array.from({ length: count }, (_, at) => items[Math.floor(((at + 0.5) * items.length) / count)]!)
}

/** One picture as the model sees it, float32 [3, size, size]. Undefined when the file is no readable picture. */
export async function loadPicture(
  path: string,
  settings: PictureSettings,
): Promise<Float32Array | undefined> {
  try {
    const { pixels } = await preprocessImage(await readFile(path), settings)
    return toTensor(pixels, settings)
  } catch (error) {
    if (isFault(error, 'IMAGE_INVALID') || isFault(error, 'IMAGE_TOO_LARGE')) return undefined
    throw error
  }
}
