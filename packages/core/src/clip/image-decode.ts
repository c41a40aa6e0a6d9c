import type { Sharp } from 'sharp'
import { fault } from '../errors.ts'
import {
  checkFrame,
  type DecodeOptions,
  type ImageFormat,
  type ImageInput,
  imageFault,
  openFile,
  openFrame,
  type RawFrame,
  type Size,
  sniff,
} from './image-file.ts'
import { plainJpeg } from './jpeg-header.ts'

export {
  DEFAULT_MAX_PIXELS,
  type DecodeOptions,
  type ImageFormat,
  type ImageInput,
  type RawFrame,
  type Size,
} from './image-file.ts'

/** What a file's header says, read without decoding it. */
export interface ImageHeader {
  readonly format: ImageFormat
  /** Size as shown, that is after EXIF orientation. */
  readonly width: number
  readonly height: number
}

/** Reads the header alone. @throws IMAGE_INVALID, IMAGE_TOO_LARGE */
export async function readImageHeader(bytes: Uint8Array, options: DecodeOptions = {}): Promise<ImageHeader> {
  const { format, width, height } = await inspect(openFile(bytes, options), bytes, options)
  return { format, width, height }
}

/**
 * Decodes to RGB as Pillow's `Image.open(file).convert('RGB')` does: embedded ICC profiles are ignored, alpha is
 * dropped, grey is repeated, a palette is expanded, 16 bit keeps its high byte, CMYK is subtracted from white. EXIF
 * orientation is applied; of an animation the first frame is taken.
 * @throws IMAGE_INVALID when the bytes are not a complete JPEG, PNG or WebP
 * @throws IMAGE_TOO_LARGE above `maxPixels`
 */
export async function decodeImage(input: ImageInput, options: DecodeOptions = {}): Promise<RawFrame> {
  if (!(input instanceof Uint8Array)) return checkFrame(input, options)
  const image = openFile(input, options)
  const header = quickHeader(input) ?? (await inspect(image, input, options))
  try {
    if (header.space === 'cmyk') return await decodeCmyk(image)
    if (header.space === 'grey16') return await decodeGrey16(image)
    const { data, info } = await shrunk(image, header, options)
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw fault('IMAGE_INVALID', `${info.channels} channels after decoding, not 3`)
    return { data, width: info.width, height: info.height }
  } catch (error) {
    throw imageFault(error, options)
  }
}

interface Inspected extends ImageHeader {
  readonly space: string
  readonly exact: boolean
}

/** Spares a camera's picture the image library's own look at the header, which costs a wait for another thread. */
function quickHeader(bytes: Uint8Array): Inspected | undefined {
  const header = plainJpeg(bytes)
  return header && { ...header, format: 'jpeg', space: 'srgb', exact: false }
}

async function inspect(image: Sharp, bytes: Uint8Array, options: DecodeOptions): Promise<Inspected> {
  try {
    const { autoOrient, space, depth, hasAlpha } = await image.metadata()
    const exact = hasAlpha || depth !== 'uchar'
    return { format: sniff(bytes)!, width: autoOrient.width, height: autoOrient.height, space, exact }
  } catch (error) {
    throw imageFault(error, options)
  }
}

function shrunk(image: Sharp, header: Inspected, { shrink }: DecodeOptions): Sharp {
  if (shrink === undefined || header.exact) return image
  const { width, height } = shrink(header)
  if (width >= header.width && height >= header.height) return image
  return resized(image, { width: Math.min(width, header.width), height: Math.min(height, header.height) })
}

/** Shrinks pixels, off the event loop, with libvips' antialiased bicubic filter (a = -0.5). */
export async function shrinkFrame(frame: RawFrame, { width, height }: Size): Promise<RawFrame> {
  const data = await resized(openFrame(frame), { width, height }).raw().toBuffer()
  return { data, width, height }
}

/**
 * `fastShrinkOnLoad: false` keeps libjpeg's scaled decoding away from the last factor of two, and libwebp's from all of
 * them: it would show.
 */
function resized(image: Sharp, { width, height }: Size): Sharp {
  return image.resize({ width, height, fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false })
}

/** Pillow's conversion: what the ink leaves of white, then what black leaves of that. */
async function decodeCmyk(image: Sharp): Promise<RawFrame> {
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return convertPixels(info, (rgb, to, pixel) => {
    const from = pixel * info.channels
    const white = 255 - data[from + 3]!
    for (let c = 0; c < 3; c++) rgb[to + c] = white - divideBy255(data[from + c]! * white)
  })
}

/** Rounded product of two 8-bit fractions, in integers as Pillow has it. */
function divideBy255(product: number): number {
  const rounded = product + 128
  return ((rounded >> 8) + rounded) >> 8
}

async function decodeGrey16(image: Sharp): Promise<RawFrame> {
  const { data, info } = await image
    .toColourspace('grey16')
    .removeAlpha()
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true })
  // Native little-endian shorts: the odd byte is the high one.
  return convertPixels(info, (rgb, to, pixel) => rgb.fill(data[pixel * 2 * info.channels + 1]!, to, to + 3))
}

/** Pixels between two turns of the event loop, which takes about 2 ms. */
const PIXELS_A_TURN = 1 << 17

async function convertPixels(
  { width, height }: Size,
  convert: (rgb: Uint8Array, to: number, pixel: number) => void,
): Promise<RawFrame> {
  const data = new Uint8Array(width * height * 3)
  for (let pixel = 0; pixel < width * height; ) {
    const last = Math.min(width * height, pixel + PIXELS_A_TURN)
    for (; pixel < last; pixel++) convert(data, pixel * 3, pixel)
    await new Promise(resolve => setImmediate(resolve))
  }
  return { data, width, height }
}
