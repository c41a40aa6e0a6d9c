import { decodeImage, type ImageInput } from '@sightline/core'
import sharp from 'sharp'

const SIDE_PX = 32

export interface GateSettings {
  /** Mean absolute difference of grey values (0..255) below which a frame counts as the same; 0 lets all pass. */
  readonly threshold: number
  /** A frame passes at least this often while the camera gives any. */
  readonly maxSilenceSeconds: number
}

/**
 * Keeps frames of a still scene from the encoder, which costs some twenty times as much. A frame is compared with the
 * last one that passed, not with its predecessor, so that a slow change passes in the end too.
 */
export class Gate {
  readonly #settings: GateSettings
  #passed: { readonly grey: Uint8Array; readonly at: number } | undefined

  constructor(settings: GateSettings) {
    this.#settings = settings
  }

  /**
   * @param at frame time, milliseconds since the epoch
   * @throws IMAGE_INVALID, IMAGE_TOO_LARGE
   */
  async passes(image: ImageInput, at: number): Promise<boolean> {
    if (this.#settings.threshold === 0) return true
    const grey = await greyThumbnail(image)
    if (this.#passed !== undefined && this.#same(grey, at, this.#passed)) return false
    this.#passed = { grey, at }
    return true
  }

  /** Lets the next frame pass: what passed last came to nothing. */
  reset(): void {
    this.#passed = undefined
  }

  #same(grey: Uint8Array, at: number, passed: { grey: Uint8Array; at: number }): boolean {
    const silenceMs = at - passed.at
    // A negative silence is a clock that was set back.
    if (silenceMs < 0 || silenceMs >= this.#settings.maxSilenceSeconds * 1000) return false
    return meanDifference(grey, passed.grey) < this.#settings.threshold
  }
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length
}

/** 32 x 32 grey values. JPEG is decoded at a fraction of its size where that suffices, which is most of the saving. */
async function greyThumbnail(image: ImageInput): Promise<Uint8Array> {
  const { data, width, height } = await decodeImage(image, {
    shrink: () => ({ width: SIDE_PX, height: SIDE_PX }),
  })
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(SIDE_PX, SIDE_PX, { fit: 'fill' })
    .greyscale()
    .raw()
    .toBuffer()
}
