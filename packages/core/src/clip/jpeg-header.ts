/** What a JPEG's segments say before its pixels come. */
export interface JpegHeader {
  readonly width: number
  readonly height: number
}

const SOI = 0xd8
const SOS = 0xda
const APP1 = 0xe1
const APP14 = 0xee
/** Baseline, extended and progressive Huffman coding. */
const FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2])
const COLOUR = 3

/**
 * Reads the header of the JPEGs that cameras write, here and now: three components of 8 bit, nothing that asks for
 * turning or for another colour space. Anything else, damage included, is left to the image library.
 * @see ITU-T T.81, annex B
 */
export function plainJpeg(bytes: Uint8Array): JpegHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return undefined
  for (let at = 2; at + 10 <= bytes.length; at += 2 + view.getUint16(at + 2)) {
    const marker = bytes[at + 1]!
    // Exif may turn the picture, Adobe's segment may change its colours.
    if (bytes[at] !== 0xff || marker === SOS || marker === APP1 || marker === APP14) return undefined
    if (FRAMES.has(marker)) return frame(view, at)
  }
  return undefined
}

function frame(view: DataView, at: number): JpegHeader | undefined {
  const [precision, components] = [view.getUint8(at + 4), view.getUint8(at + 9)]
  const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)]
  // A height of 0 comes later, with a DNL segment.
  if (precision !== 8 || components !== COLOUR || width === 0 || height === 0) return undefined
  return { width, height }
}
