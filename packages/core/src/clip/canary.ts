import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '../errors.ts'
import { dot, vectorToBytes } from '../vector.ts'
import type { RawFrame } from './image-decode.ts'
import { readManifest } from './model-files.ts'
import { type ModelManifest, modelFingerprint } from './model-manifest.ts'
import { readCache, writeCache } from './providers.ts'

/** A sentence that every tokenizer knows the words of. */
export const CANARY_TEXT = 'a red circle on a green field'
/** Cosine with the known embedding below which a provider is refused. */
export const CANARY_MIN_COSINE = 0.99
/** Two quite different pictures whose embeddings are closer than this came from a broken computation. */
const CONSTANT_COSINE = 0.9999

/** L2-normalised vectors of length `dim`. */
export interface CanaryVectors {
  /** Of `canaryPictures()`. */
  readonly images: readonly [Float32Array, Float32Array]
  /** Of `text`; absent when only the image tower is in use. */
  readonly text?: Float32Array
}

/** The least cosine with what is known, per tower. */
export interface CanaryResult {
  readonly image: number
  readonly text?: number
}

/** What of a model the canary needs. */
export interface CanaryModel {
  readonly manifest: ModelManifest
  encodeImages(inputs: readonly RawFrame[]): Promise<Float32Array[]>
  encodeTexts(texts: readonly string[]): Promise<Float32Array[]>
}

const SIDE = 256

/** Two pictures, the same on every machine: a red disc on green, and blue stripes on sand. */
export function canaryPictures(): readonly [RawFrame, RawFrame] {
  const disc = paint((x, y) => {
    const inside = (x - 128) ** 2 + (y - 112) ** 2 < 70 ** 2
    return inside ? [214, 40 + (y >> 3), 36] : [46, 120 + (x >> 2), 52]
  })
  const stripes = paint((x, y) => {
    const stripe = ((x + 2 * y) >> 5) % 2 === 0
    return stripe ? [28, 60, 150 + (x >> 2)] : [226, 200 - (y >> 2), 150]
  })
  return [disc, stripes]
}

function paint(colour: (x: number, y: number) => readonly [number, number, number]): RawFrame {
  const data = new Uint8Array(3 * SIDE * SIDE)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) data.set(colour(x, y), 3 * (y * SIDE + x))
  }
  return { data, width: SIDE, height: SIDE }
}

/** Embeds the canaries with the towers named. @throws MODEL_*; MODEL_OUTPUT_INVALID for NaN */
export async function embedCanary(model: CanaryModel, towers: readonly string[]): Promise<CanaryVectors> {
  const images = (await model.encodeImages(canaryPictures())) as [Float32Array, Float32Array]
  if (!towers.includes('text')) return { images }
  const [text] = await model.encodeTexts([canaryText(model.manifest)])
  return { images, text: text! }
}

function canaryText(manifest: ModelManifest): string {
  return manifest.canary?.text ?? CANARY_TEXT
}

/**
 * Compares embeddings with the known ones. Without known ones only what no sound model does is refused.
 * @throws PROVIDER_UNTRUSTED with the cosines in `details`
 */
export function checkCanary(found: CanaryVectors, known: CanaryVectors | undefined): CanaryResult {
  const [first, second] = found.images
  if (![first, second, ...(found.text ? [found.text] : [])].every(isUnit)) {
    throw fault('PROVIDER_UNTRUSTED', 'the canaries have embeddings that are not finite or of length 1')
  }
  if (dot(first, second) > CONSTANT_COSINE) {
    throw fault('PROVIDER_UNTRUSTED', 'two different pictures have the same embedding')
  }
  if (known === undefined) return { image: 1, ...(found.text ? { text: 1 } : {}) }
  const image = Math.min(dot(first, known.images[0]), dot(second, known.images[1]))
  const text = found.text && known.text ? dot(found.text, known.text) : undefined
  const result = { image, ...(text === undefined ? {} : { text }) }
  if (!(image >= CANARY_MIN_COSINE) || (text !== undefined && !(text >= CANARY_MIN_COSINE))) {
    const seen = Object.entries(result).map(([tower, cosine]) => `${tower} ${cosine.toFixed(4)}`)
    throw fault(
      'PROVIDER_UNTRUSTED',
      `the canaries' embeddings are not the known ones: cosine ${seen.join(', ')}, at least ${CANARY_MIN_COSINE} is needed`,
      { details: result },
    )
  }
  return result
}

function isUnit(vector: Float32Array): boolean {
  return Math.abs(dot(vector, vector) - 1) < 1e-2
}

/** The known embeddings: the manifest's, or those that the CPU gave here before. */
export async function knownCanary(
  manifest: ModelManifest,
  cacheDir: string | undefined,
): Promise<CanaryVectors | undefined> {
  if (manifest.canary !== undefined) return vectorsOf(manifest.canary, manifest.dim)
  if (cacheDir === undefined) return undefined
  const cached = (await readCache(cachePath(manifest, cacheDir))) as StoredCanary | undefined
  return cached && vectorsOf(cached, manifest.dim)
}

/** Keeps what the CPU gave, for a model whose manifest has no canary. */
export async function rememberCanary(
  manifest: ModelManifest,
  cacheDir: string,
  vectors: CanaryVectors,
): Promise<void> {
  const before = await knownCanary(manifest, cacheDir)
  const text = vectors.text ?? before?.text
  const merged = { images: vectors.images, ...(text ? { text } : {}) }
  await writeCache(cachePath(manifest, cacheDir), stored(merged, CANARY_TEXT))
}

/**
 * Writes the `canary` section of a model directory's manifest; run it on a CPU whose embeddings are trusted. The
 * fingerprint does not change.
 * @param embed embeds on the CPU with both towers
 */
export async function writeCanary(dir: string, embed: () => Promise<CanaryVectors>): Promise<void> {
  await readManifest(dir)
  const vectors = await embed()
  checkCanary(vectors, undefined)
  const path = join(dir, 'manifest.json')
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  const canary = stored(vectors, CANARY_TEXT)
  await writeFile(`${path}.part`, `${JSON.stringify({ ...manifest, canary }, null, 2)}\n`)
  await rename(`${path}.part`, path)
}

interface StoredCanary {
  readonly images: readonly string[]
  readonly text: string
  readonly textVector?: string
}

function stored({ images, text }: CanaryVectors, sentence: string): StoredCanary {
  const base64 = (vector: Float32Array) => Buffer.from(vectorToBytes(vector)).toString('base64')
  return {
    images: images.map(base64),
    text: sentence,
    ...(text === undefined ? {} : { textVector: base64(text) }),
  }
}

/** @returns undefined when a vector has another length than the model's */
function vectorsOf({ images, textVector }: StoredCanary, dim: number): CanaryVectors | undefined {
  const read = (text: string | undefined) => {
    const bytes = Buffer.from(text ?? '', 'base64')
    return bytes.length === 4 * dim ? new Float32Array(new Uint8Array(bytes).buffer) : undefined
  }
  const first = read(images[0])
  const second = read(images[1])
  const text = read(textVector)
  return first && second && { images: [first, second], ...(text ? { text } : {}) }
}

function cachePath(manifest: ModelManifest, cacheDir: string): string {
  return join(cacheDir, `canary-${modelFingerprint(manifest).replace(':', '-')}.json`)
}
