import { type DecodeOptions, decodeImage, type ImageInput, type Size } from './image-decode.ts'
import { type ResampleWindow, resampleBicubic } from './resample.ts'

export type { DecodeOptions, ImageInput, RawFrame } from './image-decode.ts'

/** How a model wants its picture; a manifest's `image` section has this shape. */
export interface PreprocessSpec {
  /** Side of the square, in pixels. */
  readonly size: number
  readonly resize: 'crop' | 'squash'
}

export interface NormalizeSpec {
  readonly size: number
  /** Per channel, of values scaled to 0..1. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

export interface PreprocessOptions extends DecodeOptions {
  /** Awaited before the resize, which computes on the calling thread. */
  readonly turn?: () => Promise<void>
}

/** RGB bytes, row by row: `size * size * 3`. */
export interface PreparedImage {
  readonly pixels: Uint8Array
}

/**
 * Decodes (if need be) and resizes one picture the way the model was trained.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE
 */
export async function preprocessImage(
  input: ImageInput,
  spec: PreprocessSpec,
  options: PreprocessOptions = {},
): Promise<PreparedImage> {
  let window: ResampleWindow | undefined
  const shrink = (size: Size): Size => {
    window = resizeWindow(size, spec)
    return { width: roughSide(size.width, window.width), height: roughSide(size.height, window.height) }
  }
  const frame = await decodeImage(input, { ...options, shrink })
  await options.turn?.()
  return { pixels: resampleBicubic(frame, window ?? resizeWindow(frame, spec)) }
}

/**
 * From six times the wanted side, libvips takes the picture down to four times first, so that the exact filter's time on
 * the event loop has a bound. Measured cost against the exact filter alone: 0.1 to 0.9 of 255 on average (docs/models.md).
 */
function roughSide(full: number, wanted: number): number {
  return full >= 6 * wanted ? 4 * wanted : full
}

/** Where the model's square lies: torchvision's `Resize(size)` and `CenterCrop(size)`, or the whole picture squashed. */
export function resizeWindow(
  source: { width: number; height: number },
  spec: PreprocessSpec,
): ResampleWindow {
  const { size } = spec
  if (spec.resize === 'squash')
    return { width: size, height: size, left: 0, top: 0, columns: size, rows: size }
  const portrait = source.height >= source.width
  const long = portrait
    ? Math.trunc((size * source.height) / source.width)
    : Math.trunc((size * source.width) / source.height)
  const width = portrait ? size : long
  const height = portrait ? long : size
  return {
    width,
    height,
    left: roundHalfToEven((width - size) / 2),
    top: roundHalfToEven((height - size) / 2),
    columns: size,
    rows: size,
  }
}

/** Python's `round`, which torchvision's crop uses. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * Scales to 0..1, subtracts the mean, divides by the deviation, and separates the channels.
 * @param target where the planes go, `[3, size, size]` float32; allocated when not given
 */
export function toTensor(
  pixels: Uint8Array,
  spec: NormalizeSpec,
  target = new Float32Array(3 * spec.size * spec.size),
): Float32Array {
  const plane = spec.size * spec.size
  for (let channel = 0; channel < 3; channel++) {
    // 256 possible values: a table is exact and costs less than the arithmetic.
    const table = new Float32Array(256)
    for (let value = 0; value < 256; value++) {
      table[value] = (value / 255 - spec.mean[channel]!) / spec.std[channel]!
    }
    const offset = channel * plane
    for (let i = 0, from = channel; i < plane; i++, from += 3) target[offset + i] = table[pixels[from]!]!
  }
  return target
}
