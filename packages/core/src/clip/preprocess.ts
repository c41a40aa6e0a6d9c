import { type DecodeOptions, decodeImage, type ImageInput, type Size, shrinkFrame } from './image-decode.ts'
import { type ResampleWindow, resampleBicubic } from './resample.ts'

export type { DecodeOptions, ImageInput, RawFrame } from './image-decode.ts'
export { type NormalizeSpec, toTensor } from './tensor.ts'

/** How a model wants its picture; a manifest's `image` section has this shape. */
export interface PreprocessSpec {
  /** Side of the square, in pixels. */
  readonly size: number
  readonly resize: 'crop' | 'squash'
}

export interface PreprocessOptions extends DecodeOptions {
  /** Awaited before a picture is enlarged, which computes on the calling thread. */
  readonly turn?: () => Promise<void>
}

/** RGB bytes, row by row: `size * size * 3`. */
export interface PreparedImage {
  readonly pixels: Uint8Array
}

/**
 * Decodes (if need be) and resizes one picture the way the model was trained. Shrinking is done by libvips, off the event
 * loop; enlarging, where libvips differs from Pillow by more than rounding, by the exact filter here.
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
    return nextSize(size, window)
  }
  let frame = await decodeImage(input, { ...options, shrink })
  window ??= resizeWindow(frame, spec)
  for (let next = nextSize(frame, window); !same(next, frame); next = nextSize(frame, window)) {
    frame = await shrinkFrame(frame, next)
  }
  if (same(frame, window)) return { pixels: crop(frame, window) }
  await options.turn?.()
  return { pixels: resampleBicubic(frame, window) }
}

function same(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height
}

/**
 * What to shrink to next. From a factor of four libvips averages whole blocks before it filters, and from four on both
 * sides libjpeg decodes at half size: together that costs up to 2 of 255 on average. By way of three times the wanted
 * side the cost stays near rounding, so that is the way, except where the blocks hurt least: between five and six on
 * one side, as 1280x720 has it, one pass costs at most 0.8 and spares a quarter of the time (docs/models.md).
 */
function nextSize(from: Size, wanted: Size): Size {
  const target = { width: Math.min(from.width, wanted.width), height: Math.min(from.height, wanted.height) }
  const across = from.width / target.width
  const down = from.height / target.height
  const larger = Math.max(across, down)
  const onePass = larger < 4 || (Math.min(across, down) < 4 && larger >= 5 && larger < 6)
  if (onePass) return target
  return {
    width: across < 4 ? from.width : roughSide(from.width, target.width),
    height: down < 4 ? from.height : roughSide(from.height, target.height),
  }
}

/** Never less than a seventh: from an eighth libjpeg would decode at a quarter, and that costs more than 1 of 255. */
function roughSide(full: number, wanted: number): number {
  return Math.max(3 * wanted, Math.ceil(full / 7))
}

/** The window's part of the resized picture. */
function crop({ data, width }: Size & { data: Uint8Array }, window: ResampleWindow): Uint8Array {
  const { left, top, columns, rows } = window
  if (columns === width) return data.subarray(top * width * 3, (top + rows) * width * 3)
  const out = new Uint8Array(columns * rows * 3)
  for (let row = 0; row < rows; row++) {
    const from = ((top + row) * width + left) * 3
    out.set(data.subarray(from, from + columns * 3), row * columns * 3)
  }
  return out
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
