import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import { fault, type SightlineError } from '../errors.ts'
import { Batcher, type BatchStats } from './batcher.ts'
import { DEFAULT_MAX_PIXELS, type ImageInput } from './image-decode.ts'
import { ClipImageEncoder, imageRunner, type Settled } from './image-encoder.ts'
import { readManifest, type VerifyOptions, verifyFiles } from './model-files.ts'
import { type ModelManifest, modelFingerprint, type VariantName } from './model-manifest.ts'
import { defaultThreads, type SessionOptions } from './session.ts'
import { Slots } from './slots.ts'
import { ClipTextEncoder, type EncodeTextOptions, type TextCacheStats, textRunner } from './text-encoder.ts'
import { loadTokenizer } from './tokenizer.ts'
import { Tower } from './tower.ts'
import { imageTowerOf } from './variants.ts'

export type { ImageInput, RawFrame } from './image-decode.ts'
export type { Settled } from './image-encoder.ts'

export type TowerName = 'image' | 'text'

export interface LoadModelOptions extends SessionOptions, VerifyOptions {
  readonly dir: string
  /** Towers that will be used; only their files must be there. Default: both. */
  readonly towers?: readonly TowerName[]
  /** File of the image tower; default: the one that the manifest names first. */
  readonly imageVariant?: VariantName
  /** Default 16. */
  readonly maxBatch?: number
  /** How long the first item of a batch waits for company, in milliseconds. Default 0. */
  readonly maxWaitMs?: number
  /** Most items waiting for a tower; more are refused with MODEL_BUSY. Default 1024. */
  readonly maxQueued?: number
  /** Pictures of more pixels are refused. Default 50 million. */
  readonly maxPixels?: number
  /**
   * Cores that inference and the preparing of pictures share: a batch on the CPU takes `threads` of them, a picture one,
   * and one picture more fills the gaps. The rest waits, since a picture that takes a core from a running batch holds up
   * all of its threads. Default: all.
   */
  readonly cores?: number
  /** Memory for text vectors. Default 16 MiB. */
  readonly textCacheBytes?: number
  readonly clock?: Clock
}

export interface TowerStats extends BatchStats {
  /** How often the inference thread ended by itself and had to be replaced. */
  readonly deaths: number
}

export interface ModelStats {
  readonly image: TowerStats | undefined
  readonly text: (TowerStats & { readonly cache: TextCacheStats }) | undefined
}

export interface EncodeOptions {
  readonly signal?: AbortSignal
}

/**
 * Opens a model directory: checks the manifest and the files, loads the tokenizer. The ONNX sessions open at first use
 * or at `warmUp`.
 * @throws MODEL_MISSING, MODEL_INVALID, MODEL_FILE_CORRUPT
 */
export async function loadModel(options: LoadModelOptions): Promise<ClipModel> {
  const { dir, towers = ['image', 'text'], clock = systemClock } = options
  const manifest = await readManifest(dir)
  const { text } = manifest
  const image = imageTowerOf(manifest, options.imageVariant)
  const files = [
    ...(towers.includes('image') ? [image.file] : []),
    ...(towers.includes('text') ? [text.file, text.tokenizer, text.tokenizerConfig] : []),
  ]
  await verifyFiles(dir, files, options)
  const tokenizer = towers.includes('text') ? await loadTokenizer(manifest, dir) : undefined
  const maxBatch = options.maxBatch ?? 16
  const limitsOf = (tower: { maxBatch?: number }) => ({
    maxBatch: Math.min(maxBatch, tower.maxBatch ?? maxBatch),
    maxWaitMs: options.maxWaitMs ?? 0,
    maxQueued: options.maxQueued ?? 1024,
  })

  const parts: { -readonly [K in keyof ModelParts]: ModelParts[K] } = { manifest }
  if (towers.includes('image')) {
    const spec = {
      path: join(dir, image.file.path),
      dim: manifest.dim,
      inputs: [image.input],
      output: image.output,
    }
    const tower = new Tower(spec, options)
    const cores = new Slots(1 + (options.cores ?? availableParallelism()))
    const batcher = new Batcher({
      run: imageRunner(tower, image),
      clock,
      limits: limitsOf(image),
      admit: run => cores.run(run, coresOf(options)),
    })
    const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS
    parts.image = {
      tower,
      batcher,
      encoder: new ClipImageEncoder({
        spec: image,
        batcher,
        maxPixels,
        maxAhead: 2 * maxBatch,
        cores,
      }),
    }
  }
  if (tokenizer !== undefined) {
    const inputs = [text.inputIds, ...(text.attentionMask === undefined ? [] : [text.attentionMask])]
    const spec = { path: join(dir, text.file.path), dim: manifest.dim, inputs, output: text.output }
    const tower = new Tower(spec, options)
    const batcher = new Batcher({ run: textRunner(tower, text), clock, limits: limitsOf(text) })
    const cacheBytes = options.textCacheBytes ?? 16 * 2 ** 20
    parts.text = {
      tower,
      batcher,
      encoder: new ClipTextEncoder({ tokenizer, batcher, cacheBytes, maxAhead: 2 * maxBatch }),
    }
  }
  return new ClipModel(parts)
}

/** How many cores a run keeps busy. */
function coresOf({ provider = 'cpu', threads = defaultThreads() }: SessionOptions): number {
  return provider === 'cpu' ? threads : 1
}

interface Half<Item, Encoder> {
  readonly tower: Tower
  readonly batcher: Batcher<Item, Float32Array>
  readonly encoder: Encoder
}

interface ModelParts {
  readonly manifest: ModelManifest
  readonly image?: Half<Uint8Array, ClipImageEncoder>
  readonly text?: Half<readonly number[], ClipTextEncoder>
}

/** A dual encoder in use. Vectors are L2-normalised Float32Arrays of `dim`, the caller's to keep. */
export class ClipModel {
  readonly manifest: ModelManifest
  /** Vectors are comparable only with vectors of the same fingerprint. */
  readonly fingerprint: string
  readonly #parts: ModelParts
  #closing: Promise<void> | undefined

  constructor(parts: ModelParts) {
    this.manifest = parts.manifest
    this.fingerprint = modelFingerprint(parts.manifest)
    this.#parts = parts
  }

  get dim(): number {
    return this.manifest.dim
  }

  get stats(): ModelStats {
    const { image, text } = this.#parts
    return {
      image: image && { ...image.batcher.stats, deaths: image.tower.deaths },
      text: text && { ...text.batcher.stats, deaths: text.tower.deaths, cache: text.encoder.cacheStats },
    }
  }

  /** Opens the sessions of the towers that were loaded. @throws MODEL_INVALID */
  async warmUp(): Promise<void> {
    await Promise.all([this.#parts.image?.tower.open(), this.#parts.text?.tower.open()])
  }

  /**
   * Embeds pictures; all or none.
   * @throws the first faulty picture's IMAGE_INVALID, IMAGE_TOO_LARGE or MODEL_OUTPUT_INVALID with `details.index`;
   * MODEL_INVALID, MODEL_FAILED, MODEL_BUSY; the signal's reason
   */
  async encodeImages(inputs: readonly ImageInput[], options: EncodeOptions = {}): Promise<Float32Array[]> {
    const settled = await this.encodeImagesSettled(inputs, options)
    return settled.map((result, index) => {
      if ('vector' in result) return result.vector
      throw withIndex(result.error, index)
    })
  }

  /** As `encodeImages`, but a faulty picture leaves the others' vectors alone. @throws MODEL_*, the signal's reason */
  async encodeImagesSettled(inputs: readonly ImageInput[], options: EncodeOptions = {}): Promise<Settled[]> {
    return this.#half('image').encoder.encode(inputs, options.signal)
  }

  /**
   * Embeds sentences; recent ones come from a cache.
   * @throws TEXT_INVALID with `details.index`; MODEL_INVALID, MODEL_FAILED, MODEL_BUSY; the signal's reason
   */
  async encodeTexts(texts: readonly string[], options: EncodeTextOptions = {}): Promise<Float32Array[]> {
    return this.#half('text').encoder.encode(texts, options)
  }

  /** Whether a text is embedded whole, or cut at the context length. @throws TEXT_INVALID */
  fitsContext(text: string): boolean {
    return this.#half('text').encoder.fits(text)
  }

  /** Finishes what was accepted and ends the sessions. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const halves = [this.#parts.image, this.#parts.text].filter(half => half !== undefined)
    await Promise.all(halves.map(({ batcher }) => batcher.close()))
    await Promise.all(halves.map(({ tower }) => tower.close()))
  }

  #half<Name extends TowerName>(name: Name): NonNullable<ModelParts[Name]> {
    const half = this.#parts[name]
    if (half === undefined) throw fault('MODEL_MISSING', `the ${name} tower was not loaded`)
    return half
  }
}

function withIndex(error: SightlineError, index: number): SightlineError {
  return fault(error.code, `image ${index}: ${error.message}`, {
    cause: error,
    details: { ...error.details, index },
  })
}
