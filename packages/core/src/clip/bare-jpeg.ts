import type { JpegHeader } from './jpeg-header.ts'

const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda
const APP0 = 0xe0
/** Quantisation tables, Huffman tables, restart interval, and the coding that `thumbnail` writes or its progressive kin. */
const TABLES: ReadonlySet<number> = new Set([0xdb, 0xc4, 0xdd])
const FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2])
const JFIF = [0x4a, 0x46, 0x49, 0x46, 0]
/** Length of a JFIF segment without the thumbnail that it may hold. */
const JFIF_BYTES = 16

/**
 * The size of a JPEG that holds its picture and nothing else: no Exif, XMP, ICC profile, comment or embedded preview, and
 * no byte behind its end. Undefined for every other file, damaged ones included. Decodes nothing.
 * @see ITU-T T.81, annex B; T.871 (JFIF), 10.1
 */
export function bareJpeg(bytes: Uint8Array): JpegHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return undefined
  let header: JpegHeader | undefined
  let scans = 0
  for (let at = 2; at + 2 <= bytes.length; ) {
    const marker = bytes[at + 1]!
    if (bytes[at] !== 0xff) return undefined
    if (marker === EOI) return at + 2 === bytes.length && scans > 0 ? header : undefined
    if (at + 4 > bytes.length) return undefined
    const length = view.getUint16(at + 2)
    const next = at + 2 + length
    if (length < 2 || next > bytes.length) return undefined
    if (FRAMES.has(marker)) {
      if (header !== undefined || length < 8) return undefined
      header = { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
      if (header.width === 0 || header.height === 0) return undefined
    } else if (marker === SOS) {
      scans++
      at = endOfScan(bytes, next)
      continue
    } else if (!TABLES.has(marker) && !(marker === APP0 && isPlainJfif(bytes, at + 4, length))) {
      return undefined
    }
    at = next
  }
  return undefined
}

/** Where the next marker stands: 0xFF followed by neither a stuffed zero nor a restart marker (B.1.1.2, B.1.1.5). */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at + 2)) {
    const marker = bytes[at + 1]
    if (marker !== 0 && (marker === undefined || marker < 0xd0 || marker > 0xd7)) return at
  }
  return bytes.length
}

/** With no thumbnail in it. */
function isPlainJfif(bytes: Uint8Array, from: number, length: number): boolean {
  return (
    length === JFIF_BYTES &&
    JFIF.every((byte, i) => bytes[from + i] === byte) &&
    bytes[from + 12] === 0 &&
    bytes[from + 13] === 0
  )
}
