/**
 * Photos and sentences for the quantiser's calibration, from Flickr8k's training list only.
 *
 *   tsx calibration-set.ts <photos dir> <out dir> [photos]
 *
 * Writes <out dir>/photos/*.jpg and <out dir>/sentences.txt (one caption of each photo).
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPhotoSet } from '@sightline/models/eval/photo-set.js'

const [photosDir, outDir, wanted = '200'] = process.argv.slice(2)
const training = new Set(readFileSync(join(photosDir, 'Flickr_8k.trainImages.txt'), 'utf8').split(/\s+/))
const photos = readPhotoSet(join(photosDir, 'flickr8k.tar')).filter(({ original }) => training.has(original))
const stride = photos.length / Number(wanted)
const chosen = Array.from({ length: Number(wanted) }, (_, index) => photos[Math.floor(index * stride)])
mkdirSync(join(outDir, 'photos'), { recursive: true })
for (const { file, jpeg } of chosen) writeFileSync(join(outDir, 'photos', file), jpeg)
const sentences = chosen.map(({ captions }, index) => captions[index % captions.length])
writeFileSync(join(outDir, 'sentences.txt'), `${sentences.join('\n')}\n`)
