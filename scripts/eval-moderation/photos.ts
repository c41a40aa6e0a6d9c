import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClipModel } from '@sightline/core'
import { readPhotoSet } from '@sightline/models/eval/photo-set.js'

/** A labelled photo as a model sees it. */
export interface LabelledPhoto {
  readonly set: PhotoSetName
  /** Captions, or the one label phrase. */
  readonly captions: readonly string[]
  /** Folder of the photo at its source, by which labelled sets go; empty for captioned ones. */
  readonly label: string
  /** L2-normalised, of length dim. */
  readonly vector: Float32Array
}

/** None of these photos was trained on: of Flickr8k only the official test list. */
export const PHOTO_SETS = ['fire', 'masks', 'intel_scenes', 'coco_val', 'flickr8k'] as const
export type PhotoSetName = (typeof PHOTO_SETS)[number]

const BATCH = 50

export interface PhotoSource {
  readonly model: ClipModel
  /** Holds the tar files and the split lists of Flickr8k. */
  readonly photosDir: string
  /** Vectors of an earlier run with the same model are read from here and written here. */
  readonly cacheDir: string
  readonly onProgress: (line: string) => void
}

export async function labelledPhotos(source: PhotoSource): Promise<LabelledPhoto[]> {
  const photos: LabelledPhoto[] = []
  for (const set of PHOTO_SETS) photos.push(...(await photosOf(set, source)))
  return photos
}

async function photosOf(set: PhotoSetName, source: PhotoSource): Promise<LabelledPhoto[]> {
  const { model, photosDir, cacheDir, onProgress } = source
  let photos = readPhotoSet(join(photosDir, `${set}.tar`))
  if (set === 'flickr8k') {
    const test = new Set(readFileSync(join(photosDir, 'Flickr_8k.testImages.txt'), 'utf8').split(/\s+/))
    photos = photos.filter(({ original }) => test.has(original))
  }
  mkdirSync(cacheDir, { recursive: true })
  const path = join(cacheDir, `${model.fingerprint.replace(/\W/g, '-')}-${set}.f32`)
  const matrix = new Float32Array(photos.length * model.dim)
  const bytes = Buffer.from(matrix.buffer)
  const cached = existsSync(path) ? readFileSync(path) : undefined
  if (cached?.length === bytes.length) {
    cached.copy(bytes)
  } else {
    for (let at = 0; at < photos.length; at += BATCH) {
      const vectors = await model.encodeImages(photos.slice(at, at + BATCH).map(({ jpeg }) => jpeg))
      for (const [i, vector] of vectors.entries()) matrix.set(vector, (at + i) * model.dim)
      if (at % 500 === 0) onProgress(`${set}: ${at} of ${photos.length} photos`)
    }
    writeFileSync(path, bytes)
  }
  return photos.map(({ captions, original }, i) => {
    const folders = original.split('/')
    const vector = matrix.subarray(i * model.dim, (i + 1) * model.dim)
    return { set, captions, label: folders.at(-2) ?? '', vector }
  })
}
