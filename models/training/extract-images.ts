/**
 * Pooled ResNet50 features and class logits of one photo set, float32, in the order of its sorted file names.
 *
 *   tsx extract-images.ts <resnet50.onnx> <photos.tar> <out prefix> [variant ...]
 *
 * Variants: plain (the default), flip (mirrored), crop1, crop2, ... (a random part, mirrored at random; the number is the
 * seed). Each writes <prefix>.<variant>.pooled.f32 [n, 2048] and <prefix>.<variant>.logits.f32 [n, 1000]; the file names
 * go to <prefix>.files.txt.
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { type Photo, readPhotoSet } from '@sightline/models/eval/photo-set.js'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type Crop, decodePixels, flipped, IMAGE_SIZE, PIXELS } from './preprocess.ts'

const BATCH = 8
/** Side of a random crop as a share of the photo's: mild, because captions speak of the whole picture. */
const SMALLEST_SIDE = 0.72

const [modelPath, tarPath, outPrefix, ...variants] = process.argv.slice(2)
const photos = readPhotoSet(tarPath)
const session = await InferenceSession.create(modelPath, {
  intraOpNumThreads: Number(process.env.TRAINING_THREADS ?? 2),
  extra: { session: { intra_op: { allow_spinning: '0' } } },
})
for (const variant of variants.length > 0 ? variants : ['plain']) await extract(variant)
writeFileSync(`${outPrefix}.files.txt`, `${photos.map(({ file }) => file).join('\n')}\n`)

async function extract(variant: string): Promise<void> {
  const pixelsOf = pixelReader(variant)
  const pooledFile = openSync(`${outPrefix}.${variant}.pooled.f32`, 'w')
  const logitsFile = openSync(`${outPrefix}.${variant}.logits.f32`, 'w')
  const startedAt = performance.now()
  const decode = (start: number) => Promise.all(photos.slice(start, start + BATCH).map(pixelsOf))
  let next = decode(0)
  for (let start = 0; start < photos.length; start += BATCH) {
    const batch = await next
    next = decode(start + BATCH) // decoded while the network runs
    const { pooled, logits } = await run(batch)
    writeSync(pooledFile, bytesOf(pooled.data as Float32Array))
    writeSync(logitsFile, bytesOf(logits.data as Float32Array))
    const done = start + batch.length
    if (start % 800 === 0 || done === photos.length) {
      const perPhotoMs = ((performance.now() - startedAt) / done).toFixed(1)
      console.log(`${outPrefix}.${variant}: ${done}/${photos.length}, ${perPhotoMs} ms a photo`)
    }
  }
  closeSync(pooledFile)
  closeSync(logitsFile)
}

function pixelReader(variant: string): (photo: Photo) => Promise<Float32Array> {
  if (variant === 'plain') return photo => decodePixels(photo.jpeg)
  if (variant === 'flip') return async photo => flipped(await decodePixels(photo.jpeg))
  const random = mulberry32(Number(variant.replace('crop', '')))
  const plans = new Map(
    photos.map(photo => [photo.file, { crop: randomCrop(random), mirror: random() < 0.5 }]),
  )
  return async photo => {
    const { crop, mirror } = plans.get(photo.file)!
    const pixels = await decodePixels(photo.jpeg, crop)
    return mirror ? flipped(pixels) : pixels
  }
}

function randomCrop(random: () => number): Crop {
  const width = SMALLEST_SIDE + (1 - SMALLEST_SIDE) * random()
  const height = SMALLEST_SIDE + (1 - SMALLEST_SIDE) * random()
  return { width, height, left: (1 - width) * random(), top: (1 - height) * random() }
}

async function run(images: Float32Array[]): Promise<InferenceSession.OnnxValueMapType> {
  const pixels = new Float32Array(images.length * 3 * PIXELS)
  for (const [index, image] of images.entries()) pixels.set(image, index * 3 * PIXELS)
  const dims = [images.length, 3, IMAGE_SIZE, IMAGE_SIZE]
  return session.run({ pixel_values: new Tensor('float32', pixels, dims) })
}

/** A small seeded generator (Tommy Ettinger's mulberry32, public domain), so that a rerun sees the same crops. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
