import { isFault, type SightlineError } from '../errors.ts'
import type { Batcher } from './batcher.ts'
import { mapBounded } from './bounded-map.ts'
import type { ImageInput } from './image-decode.ts'
import type { ModelManifest } from './model-manifest.ts'
import { preprocessImage } from './preprocess.ts'
import type { Slots } from './slots.ts'
import type { Tower } from './tower.ts'

/** What became of one input: its embedding, or why there is none. */
export type Settled = { readonly vector: Float32Array } | { readonly error: SightlineError }

export interface ImageEncoderOptions {
  readonly spec: ModelManifest['image']
  readonly batcher: Batcher<Uint8Array, Float32Array>
  readonly maxPixels: number
  /** Most pictures of one call in work at once; the rest wait undecoded. */
  readonly maxAhead: number
  /** The cores, which preparing pictures shares with the batcher's runs. */
  readonly cores: Slots
}

/** Pictures to unit vectors: decoded and resized on the cores that inference leaves free. */
export class ClipImageEncoder {
  readonly #options: ImageEncoderOptions
  #lastTurn: Promise<void> = Promise.resolve()

  constructor(options: ImageEncoderOptions) {
    this.#options = options
  }

  /** Results in the order of the inputs. @throws what is no single picture's fault (MODEL_*, abort) */
  encode(inputs: readonly ImageInput[], signal?: AbortSignal): Promise<Settled[]> {
    return mapBounded(inputs, this.#options.maxAhead, input => this.#encodeOne(input, signal))
  }

  async #encodeOne(input: ImageInput, signal: AbortSignal | undefined): Promise<Settled> {
    const { spec, batcher, cores, maxPixels } = this.#options
    try {
      const { pixels } = await cores.run(() => {
        signal?.throwIfAborted()
        return preprocessImage(input, spec, { maxPixels, turn: () => this.#turn() })
      })
      return { vector: await batcher.submit(pixels, signal) }
    } catch (error) {
      if (isFault(error) && ITEM_FAULTS.has(error.code)) return { error }
      throw error
    }
  }

  /** One enlargement per turn of the event loop, so that a burst of pictures does not starve sockets and timers. */
  #turn(): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => new Promise(resolve => setImmediate(resolve)))
    return this.#lastTurn
  }
}

/** Faults of one picture, which leave the others alone. */
const ITEM_FAULTS: ReadonlySet<string> = new Set(['IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'MODEL_OUTPUT_INVALID'])

/** The batch runner of an image tower: prepared pixels in, unit vectors out. */
export function imageRunner(tower: Tower, spec: ModelManifest['image']) {
  const { input: name, size, mean, std } = spec
  const length = 3 * size * size
  return (batch: readonly Uint8Array[]) => {
    const data = new Uint8Array(batch.length * length)
    for (const [i, pixels] of batch.entries()) data.set(pixels, i * length)
    const dims = [batch.length, 3, size, size]
    return tower.embed([{ name, type: 'rgb', data, dims, mean, std }], batch.length)
  }
}
