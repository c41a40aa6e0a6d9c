import sharp, { type Sharp } from 'sharp'
import { fault, isFault, messageOf, type SightlineError } from '../errors.ts'

/** Decoded pixels: RGB, 8 bit, row by row, three bytes a pixel, no padding. */
export interface RawFrame {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/** An encoded JPEG, PNG or WebP file, or pixels that a camera already decoded. */
export type ImageInput = Uint8Array | RawFrame

export interface DecodeOptions {
  /** Width times height above which an image is refused before it is decoded. Default 50 million. */
  readonly maxPixels?: number
  /**
   * Size to shrink to while decoding, from the size as shown; an approximation by libvips, off the event loop. Left
   * out for raw frames and where alpha, CMYK or 16 bit need exact pixels first.
   */
  readonly shrink?: (size: Size) => Size
}

export interface Size {
  readonly width: number
  readonly height: number
}

export const DEFAULT_MAX_PIXELS = 50_000_000

/** What a file's header says, read without decoding it. */
export interface ImageHeader {
  readonly format: 'jpeg' | 'png' | 'webp'
  /** Size as shown, that is after EXIF orientation. */
  readonly width: number
  readonly height: number
}

// libvips picks a decoder by content, so the ones that a hostile file could reach are cut down for the whole process;
// a check of the file's name or metadata would come after a parser had already run.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] })
// No two frames are the same operation: libvips' cache would only hold memory.
sharp.cache(false)

/** Reads the header alone. @throws IMAGE_INVALID, IMAGE_TOO_LARGE */
export async function readImageHeader(bytes: Uint8Array, options: DecodeOptions = {}): Promise<ImageHeader> {
  const { format, width, height } = await inspect(open(bytes, options), bytes)
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
  if (!(input instanceof Uint8Array)) return checkRawFrame(input, options)
  const image = open(input, options)
  const header = await inspect(image, input)
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
    throw imageFault(error)
  }
}

function open(bytes: Uint8Array, { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions): Sharp {
  const format = sniff(bytes)
  if (format === undefined) throw fault('IMAGE_INVALID', describeUnknown(bytes))
  // 'error' lets pass what libjpeg only warns about (Pillow reads such files too) and stops at truncation.
  return sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', ignoreIcc: true, autoOrient: true })
}

interface Inspected extends ImageHeader {
  readonly space: string
  readonly exact: boolean
}

async function inspect(image: Sharp, bytes: Uint8Array): Promise<Inspected> {
  try {
    const { autoOrient, space, depth, hasAlpha } = await image.metadata()
    const exact = hasAlpha || depth !== 'uchar'
    return { format: sniff(bytes)!, width: autoOrient.width, height: autoOrient.height, space, exact }
  } catch (error) {
    throw imageFault(error)
  }
}

/**
 * Never enlarges. `fastShrinkOnLoad: false` keeps libjpeg's scaled decoding away from the last factor of two, where it
 * would show.
 */
function shrunk(image: Sharp, header: Inspected, { shrink }: DecodeOptions): Sharp {
  if (shrink === undefined || header.exact) return image
  const { width, height } = shrink(header)
  if (width >= header.width && height >= header.height) return image
  const size = { width: Math.min(width, header.width), height: Math.min(height, header.height) }
  return image.resize({ ...size, fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false })
}

/** The container by its magic bytes (JPEG: T.81 B.1; PNG: ISO 15948 5.2; WebP: RFC 9649 2.4). */
function sniff(bytes: Uint8Array): ImageHeader['format'] | undefined {
  const at = (offset: number, text: string) =>
    bytes.length >= offset + text.length &&
    [...text].every((char, i) => bytes[offset + i] === char.charCodeAt(0))
  if (at(0, '\xff\xd8\xff')) return 'jpeg'
  if (at(0, '\x89PNG\r\n\x1a\n')) return 'png'
  if (at(0, 'RIFF') && at(8, 'WEBP')) return 'webp'
  return undefined
}

function describeUnknown(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'the image has 0 bytes'
  return `not a JPEG, PNG or WebP image (${bytes.length} bytes)`
}

/** Pillow's conversion: what the ink leaves of white, then what black leaves of that. */
async function decodeCmyk(image: Sharp): Promise<RawFrame> {
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const rgb = new Uint8Array(info.width * info.height * 3)
  for (let from = 0, to = 0; to < rgb.length; from += info.channels) {
    const white = 255 - data[from + 3]!
    for (let c = 0; c < 3; c++) rgb[to++] = white - divideBy255(data[from + c]! * white)
  }
  return { data: rgb, width: info.width, height: info.height }
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
  const rgb = new Uint8Array(info.width * info.height * 3)
  // Native little-endian shorts: the odd byte is the high one.
  for (let i = 0, to = 0; to < rgb.length; i++) {
    const high = data[i * 2 * info.channels + 1]!
    rgb[to++] = high
    rgb[to++] = high
    rgb[to++] = high
  }
  return { data: rgb, width: info.width, height: info.height }
}

function checkRawFrame(frame: RawFrame, { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions): RawFrame {
  const { data, width, height } = frame
  const whole = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0
  if (!whole || data?.length !== width * height * 3) {
    throw fault('IMAGE_INVALID', `a raw frame of ${data?.length} bytes is not ${width}x${height} RGB`)
  }
  if (width * height > maxPixels) throw tooLarge(maxPixels)
  return frame
}

function tooLarge(maxPixels?: number, cause?: unknown): SightlineError {
  const limit = maxPixels === undefined ? '' : ` of ${maxPixels} pixels`
  return fault('IMAGE_TOO_LARGE', `the image exceeds the limit${limit}`, { cause })
}

function imageFault(error: unknown): SightlineError {
  if (isFault(error)) return error
  const message = messageOf(error)
  if (/pixel limit|too large|exceeds/i.test(message)) return tooLarge(undefined, error)
  return fault('IMAGE_INVALID', `the image cannot be decoded: ${message.split('\n')[0]}`, { cause: error })
}
