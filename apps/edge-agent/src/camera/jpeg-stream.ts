import { fault } from '@sightline/core'

/**
 * Cuts a stream of JPEG files written one after the other (ffmpeg's image2pipe) into files.
 * @throws CAMERA_FAILED when the stream is not JPEG or a file is longer than `maxFrameBytes`.
 */
export async function* jpegFiles(
  chunks: AsyncIterable<Uint8Array>,
  { maxFrameBytes }: { maxFrameBytes: number },
): AsyncIterable<Buffer> {
  let buffer: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    buffer = buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([buffer, chunk])
    for (let end = jpegEnd(buffer); end !== undefined; end = jpegEnd(buffer)) {
      yield Buffer.from(buffer.subarray(0, end))
      buffer = buffer.subarray(end)
    }
    if (buffer.length > maxFrameBytes) {
      throw fault('CAMERA_FAILED', `a frame is longer than the limit of ${maxFrameBytes} bytes`)
    }
  }
}

/**
 * Length of the JPEG file at the start of `bytes`, or undefined when it is not complete yet. Walks the markers (T.81,
 * B.1.1.2): a plain search for FF D9 would stop inside an embedded thumbnail.
 */
export function jpegEnd(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw fault('CAMERA_FAILED', 'the stream is not JPEG')
  let at = 2
  while (at + 1 < bytes.length) {
    if (bytes[at] !== 0xff) throw fault('CAMERA_FAILED', 'the JPEG stream is damaged')
    const marker = bytes[at + 1]!
    if (marker === 0xd9) return at + 2
    if (marker === 0xff) {
      at++ // a fill byte (B.1.1.2)
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2 // markers without a segment
    } else {
      if (at + 3 >= bytes.length) return undefined
      at += 2 + bytes.readUInt16BE(at + 2)
      if (marker === 0xda) {
        const next = scanEnd(bytes, at)
        if (next === undefined) return undefined
        at = next
      }
    }
  }
  return undefined
}

/** Offset of the marker that ends entropy-coded data; stuffed zeros and restart markers belong to the data. */
function scanEnd(bytes: Buffer, from: number): number | undefined {
  let at = bytes.indexOf(0xff, from)
  while (at >= 0 && at + 1 < bytes.length) {
    const next = bytes[at + 1]!
    if (next !== 0 && (next < 0xd0 || next > 0xd7)) return at
    at = bytes.indexOf(0xff, at + 2)
  }
  return undefined
}
