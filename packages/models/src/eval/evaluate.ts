import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClipModel } from '@sightline/core/clip/model.js'
import type { ModelManifest } from '@sightline/core/clip/model-manifest.js'
import { meanDirection } from '@sightline/core/clip/text-encoder.js'
import { dot } from '@sightline/core/vector.js'
import { type Progress, silent } from '../quantize/progress.ts'
import { accuracy, areaUnderCurve, RANKS, recalls } from './metrics.ts'
import { type Photo, readData, readPhotoSet } from './photo-set.ts'

export type Figure = ModelManifest['quality'][number]

type ClassPrompts = Readonly<Record<string, readonly string[]>>

interface Phrases {
  readonly sets: Readonly<Record<'intel_scenes' | 'fire' | 'masks', ClassPrompts>>
  readonly caltech101: {
    readonly templates: readonly string[]
    readonly names: Readonly<Record<string, string>>
  }
}

export interface EvaluateOptions {
  readonly model: ClipModel
  /** Holds the photo sets as tars, see CONTRIBUTING.md. */
  readonly photosDir: string
  /** Hears of each figure as it is there. */
  readonly onFigure: (figure: Figure) => void
  /** Hears how far the embedding has come: pictures take minutes. */
  readonly progress?: Progress
}

/** A model's vectors of the Flickr8k test set, to be compared with another's. */
export interface FlickrVectors {
  readonly images: readonly Float32Array[]
  readonly texts: readonly Float32Array[]
}

/** Texts and pictures handed to the model at once; its queue takes a thousand. */
const PORTION = 256

/**
 * Held-out quality, figure by figure: retrieval on Flickr8k's test list and COCO, zero-shot classification on the rest.
 * @throws EVAL_DATA_MISSING when a set is not there; MODEL_*
 */
export async function evaluateModel(options: EvaluateOptions): Promise<FlickrVectors> {
  const { model, photosDir, onFigure, progress = silent } = options
  const phrases = JSON.parse(
    readFileSync(new URL('../../zero-shot.json', import.meta.url), 'utf8'),
  ) as Phrases
  const photoSet = (name: string) => readPhotoSet(join(photosDir, `${name}.tar`))
  const suite = new Suite(model, onFigure, progress)

  const flickr = flickrTest(photosDir, photoSet('flickr8k'))
  const vectors = await suite.retrieval('Flickr8k test (1,000 photos)', flickr)
  await suite.retrieval('COCO val2017 (249 photos)', photoSet('coco_val'), 'never trained on')

  const caltech = photoSet('caltech101')
  const folders = [...new Set(caltech.map(photo => folder(photo, 0)))].sort()
  const prompts = Object.fromEntries(folders.map(name => [name, caltechPrompts(name, phrases)]))
  await suite.classification('Caltech-101 held out', caltech.filter(isHeldOut), prompts, { depth: 0 })
  const { intel_scenes, fire, masks } = phrases.sets
  const note = 'zero-shot'
  await suite.classification('Intel scenes (6 classes)', photoSet('intel_scenes'), intel_scenes, {
    depth: 1,
    note,
  })
  await suite.classification('Fire or not', photoSet('fire'), fire, { depth: 0, note, binary: true })
  await suite.classification('Face mask or not', photoSet('masks'), masks, { depth: 0, note, binary: true })
  return vectors
}

class Suite {
  readonly #model: ClipModel
  readonly #report: (figure: Figure) => void

  readonly #progress: Progress

  constructor(model: ClipModel, report: (figure: Figure) => void, progress: Progress) {
    this.#model = model
    this.#report = report
    this.#progress = progress
  }

  async retrieval(dataset: string, photos: readonly Photo[], note?: string): Promise<FlickrVectors> {
    const captions = photos.flatMap(photo => photo.captions)
    const owner = photos.flatMap((photo, index) => photo.captions.map(() => index))
    const images = await this.#images(photos, dataset)
    const texts = await this.#texts(captions)
    const { textToImage, imageToText } = recalls(images, texts, owner)
    for (const [direction, values] of [
      ['text to image', textToImage],
      ['image to text', imageToText],
    ] as const) {
      for (const [at, k] of RANKS.entries()) {
        this.#report({
          dataset,
          metric: `${direction} R@${k}, %`,
          value: values[at]!,
          ...(note ? { note } : {}),
        })
      }
    }
    return { images, texts }
  }

  async classification(
    dataset: string,
    photos: readonly Photo[],
    prompts: ClassPrompts,
    { depth, note, binary = false }: { depth: number; note?: string; binary?: boolean },
  ): Promise<void> {
    const names = Object.keys(prompts)
    const classes: Float32Array[] = []
    for (const name of names) classes.push(meanDirection(await this.#texts(prompts[name]!)))
    const images = await this.#images(photos, dataset)
    const labels = photos.map(photo => names.indexOf(folder(photo, depth)))
    const counted = { dataset: `${dataset}, ${photos.length} photos`, ...(note ? { note } : {}) }
    this.#report({ ...counted, metric: 'accuracy, %', value: accuracy(images, classes, labels) })
    if (!binary) return
    const margins = images.map(image => dot(image, classes[0]!) - dot(image, classes[1]!))
    const positive = labels.map(index => index === 0)
    this.#report({ ...counted, metric: 'area under ROC, %', value: areaUnderCurve(margins, positive) })
  }

  async #images(photos: readonly Photo[], dataset: string): Promise<Float32Array[]> {
    let done = 0
    this.#progress.start(dataset, photos.length)
    return inPortions(photos, async portion => {
      const encoded = await this.#model.encodeImages(portion.map(photo => photo.jpeg))
      done += portion.length
      this.#progress.advance(done, 'pictures')
      return encoded
    })
  }

  #texts(texts: readonly string[]): Promise<Float32Array[]> {
    return inPortions(texts, portion => this.#model.encodeTexts(portion))
  }
}

async function inPortions<T>(
  items: readonly T[],
  encode: (portion: readonly T[]) => Promise<Float32Array[]>,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (let at = 0; at < items.length; at += PORTION)
    vectors.push(...(await encode(items.slice(at, at + PORTION))))
  return vectors
}

function flickrTest(photosDir: string, photos: readonly Photo[]): Photo[] {
  const list = readData(join(photosDir, 'Flickr_8k.testImages.txt')).toString('utf8')
  const names = new Set(list.split(/\s+/))
  return photos.filter(photo => names.has(photo.original))
}

function folder(photo: Photo, depth: number): string {
  return photo.original.split('/')[depth] ?? ''
}

function caltechPrompts(name: string, { caltech101 }: Phrases): string[] {
  const readable = caltech101.names[name] ?? name.toLowerCase().replaceAll('_', ' ')
  return caltech101.templates.map(template => template.replace('{}', readable))
}

/** The quarter of the labelled photos that the embedded model's training left out. */
function isHeldOut(photo: Photo): boolean {
  const hash = createHash('md5').update(photo.original).digest('hex')
  return Number.parseInt(hash.slice(0, 6), 16) % 100 < 25
}
