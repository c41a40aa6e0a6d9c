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
   * Size to shrink to while decoding, from the size as shown; never enlarges. Left out for raw frames and where alpha,
   * CMYK or 16 bit need exact pixels first.
   */
  readonly shrink?: (size: Size) => Size
}

export interface Size {
  readonly width: number
  readonly height: number
}

export const DEFAULT_MAX_PIXELS = 50_000_000

export type ImageFormat = 'jpeg' | 'png' | 'webp'

// libvips picks a decoder by content, so the ones that a hostile file could reach are cut down for the whole process;
// a check of the file's name or metadata would come after a parser had already run.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] })
// No two frames are the same operation: libvips' cache would only hold memory.
sharp.cache(false)

/** @throws IMAGE_INVALID for what is no JPEG, PNG or WebP by its first bytes */
export function openFile(bytes: Uint8Array, { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions): Sharp {
  const format = sniff(bytes)
  if (format === undefined) throw fault('IMAGE_INVALID', describeUnknown(bytes))
  // 'error' lets pass what libjpeg only warns about (Pillow reads such files too) and stops at truncation.
  return sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', ignoreIcc: true, autoOrient: true })
}

/** A frame that `checkFrame` let pass. The pixels are not copied. */
export function openFrame({ data, width, height }: RawFrame): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
}

/** The container by its magic bytes (JPEG: T.81 B.1; PNG: ISO 15948 5.2; WebP: RFC 9649 2.4). */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
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

/** @throws IMAGE_INVALID, IMAGE_TOO_LARGE */
export function checkFrame(frame: RawFrame, { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions): RawFrame {
  const { data, width, height } = frame
  const whole = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0
  if (!whole || data?.length !== width * height * 3) {
    throw fault('IMAGE_INVALID', `a raw frame of ${data?.length} bytes is not ${width}x${height} RGB`)
  }
  if (width * height > maxPixels) throw tooLarge(maxPixels)
  return frame
}

function tooLarge(maxPixels: number, cause?: unknown): SightlineError {
  return fault('IMAGE_TOO_LARGE', `the image exceeds the limit of ${maxPixels} pixels`, { cause })
}

/** What the image library threw under these options, as a coded error. */
export function imageFault(
  error: unknown,
  { maxPixels = DEFAULT_MAX_PIXELS }: DecodeOptions,
): SightlineError {
  if (isFault(error)) return error
  const message = messageOf(error)
  if (/pixel limit|too large|exceeds/i.test(message)) return tooLarge(maxPixels, error)
  return fault('IMAGE_INVALID', `the image cannot be decoded: ${message.split('\n')[0]}`, { cause: error })
}
