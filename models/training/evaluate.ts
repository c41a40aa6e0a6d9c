/**
 * Held-out quality of a model directory, as a table.
 *
 *   SIGHTLINE_TEST_DATA=DIR tsx evaluate.ts <model dir> [--against <model dir>] [--json <file>]
 *
 * --against also encodes the Flickr8k test set with another model of the same space and prints how far the vectors moved
 * (INT8 beside float32). --json writes the figures in the manifest's `quality` form.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ClipModel, dot, loadModel } from '@sightline/core'
import { accuracy, areaUnderCurve, centroid, RANKS, recalls } from './metrics.ts'
import { type Photo, readPhotoSet } from './photo-set.ts'
import { caltechPrompts } from './prompts.ts'

interface Figure {
  dataset: string
  metric: string
  value: number
  note?: string
}
type ClassPrompts = Record<string, string[]>

/** A whole test set may wait at once. */
const ENOUGH = 1e6

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, json: { type: 'string' } },
})
const dataDir = process.env.SIGHTLINE_TEST_DATA
if (!dataDir || positionals.length !== 1) {
  console.error(
    'usage: SIGHTLINE_TEST_DATA=DIR tsx evaluate.ts <model dir> [--against <model dir>] [--json <file>]',
  )
  process.exit(2)
}
const photosDir = join(dataDir, 'photos')
const zeroShot: Record<string, ClassPrompts> = JSON.parse(
  readFileSync(join(import.meta.dirname, 'zero-shot.json'), 'utf8'),
)
const model = await loadModel({ dir: positionals[0], maxQueued: ENOUGH })
const figures: Figure[] = []

const flickr = flickrTest()
const flickrVectors = await retrieval('Flickr8k test (1,000 photos)', flickr)
await retrieval('COCO val2017 (249 photos)', photoSet('coco_val'), 'never trained on')
await classification('Caltech-101 held out', photoSet('caltech101').filter(isHeldOut), caltechClasses(), {
  label: photo => photo.original.split('/')[0],
})
await classification('Intel scenes (6 classes)', photoSet('intel_scenes'), zeroShot.intel_scenes, {
  label: photo => photo.original.split('/')[1],
  note: 'zero-shot',
})
for (const set of ['fire', 'masks']) {
  await classification(set === 'fire' ? 'Fire or not' : 'Face mask or not', photoSet(set), zeroShot[set], {
    label: photo => photo.original.split('/')[0],
    note: 'zero-shot',
    binary: true,
  })
}
if (values.against) {
  const other = await loadModel({ dir: values.against, maxQueued: ENOUGH })
  await compare(other)
  await other.close()
}
await model.close()
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`)

async function retrieval(dataset: string, photos: Photo[], note?: string) {
  const captions = photos.flatMap(photo => photo.captions)
  const owner = photos.flatMap((photo, index) => photo.captions.map(() => index))
  const images = await model.encodeImages(photos.map(photo => photo.jpeg))
  const texts = await model.encodeTexts(captions)
  const { textToImage, imageToText } = recalls(images, texts, owner)
  for (const [at, k] of RANKS.entries())
    report({ dataset, metric: `text to image R@${k}, %`, value: textToImage[at], note })
  for (const [at, k] of RANKS.entries())
    report({ dataset, metric: `image to text R@${k}, %`, value: imageToText[at], note })
  return { images, texts, captions }
}

async function classification(
  dataset: string,
  photos: Photo[],
  prompts: ClassPrompts,
  { label, note, binary }: { label: (photo: Photo) => string; note?: string; binary?: boolean },
): Promise<void> {
  const names = Object.keys(prompts)
  const classes: Float32Array[] = []
  for (const name of names) classes.push(centroid(await model.encodeTexts(prompts[name])))
  const images = await model.encodeImages(photos.map(photo => photo.jpeg))
  const labels = photos.map(photo => names.indexOf(label(photo)))
  const counted = { dataset: `${dataset}, ${photos.length} photos`, ...(note && { note }) }
  report({ ...counted, metric: 'accuracy, %', value: accuracy(images, classes, labels) })
  if (!binary) return
  const margins = images.map(image => dot(image, classes[0]) - dot(image, classes[1]))
  const positive = labels.map(index => index === 0)
  report({ ...counted, metric: 'area under ROC, %', value: areaUnderCurve(margins, positive) })
}

async function compare(other: ClipModel): Promise<void> {
  const images = await other.encodeImages(flickr.map(photo => photo.jpeg))
  const texts = await other.encodeTexts(flickrVectors.captions)
  for (const [what, ours, theirs] of [
    ['image', flickrVectors.images, images],
    ['text', flickrVectors.texts, texts],
  ] as const) {
    const cosines = ours.map((vector, i) => dot(vector, theirs[i]))
    const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length
    const lowest = cosines.reduce((least, value) => Math.min(least, value), 1)
    console.log(
      `${what} vectors beside ${values.against}: mean cosine ${mean.toFixed(4)}, lowest ${lowest.toFixed(4)}`,
    )
  }
}

function report({ note, ...figure }: Figure): void {
  figures.push(note ? { ...figure, note } : figure)
  console.log(
    `${figure.dataset.padEnd(40)} ${figure.metric.padEnd(26)} ${figure.value.toFixed(1).padStart(5)}`,
  )
}

function photoSet(name: string): Photo[] {
  return readPhotoSet(join(photosDir, `${name}.tar`))
}

function flickrTest(): Photo[] {
  const names = new Set(readFileSync(join(photosDir, 'Flickr_8k.testImages.txt'), 'utf8').split(/\s+/))
  return photoSet('flickr8k').filter(photo => names.has(photo.original))
}

function caltechClasses(): ClassPrompts {
  const folders = [...new Set(photoSet('caltech101').map(photo => photo.original.split('/')[0]))].sort()
  return Object.fromEntries(folders.map(folder => [folder, caltechPrompts(folder)]))
}

/** The quarter of the labelled photos that training left out; dataset.py has the same rule. */
function isHeldOut(photo: Photo): boolean {
  const hash = createHash('md5').update(photo.original).digest('hex')
  return Number.parseInt(hash.slice(0, 6), 16) % 100 < 25
}
