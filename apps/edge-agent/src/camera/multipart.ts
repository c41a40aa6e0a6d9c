import { fault } from '@sightline/core'

const MAX_HEADER_BYTES = 8 * 1024
const HEADER_END = Buffer.from('\r\n\r\n')

/**
 * The boundary of a multipart Content-Type (RFC 2046, 5.1.1), or undefined when it is another type. Many cameras write
 * the two leading dashes into the parameter already; they are taken off.
 */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\//i.test(contentType.trim())) return undefined
  const match = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  return (match?.[1] ?? match?.[2])?.replace(/^--/, '')
}

/**
 * Bodies of the parts of a multipart stream. Content-Length is obeyed where a part has it; otherwise the part ends at
 * the next delimiter.
 * @throws CAMERA_FAILED when a part is longer than `maxPartBytes` or its header longer than 8 KiB.
 */
export async function* multipartBodies(
  chunks: AsyncIterable<Uint8Array>,
  { boundary, maxPartBytes }: { boundary: string; maxPartBytes: number },
): AsyncIterable<Buffer> {
  const parser = new MultipartParser(boundary, maxPartBytes)
  for await (const chunk of chunks) {
    parser.push(chunk)
    for (let body = parser.next(); body !== undefined; body = parser.next()) yield body
  }
}

class MultipartParser {
  readonly #delimiter: Buffer
  readonly #maxPartBytes: number
  #buffer: Buffer = Buffer.alloc(0)
  /** Of the part being read; undefined while a delimiter and header are looked for, -1 when the part does not say. */
  #bodyBytes: number | undefined

  constructor(boundary: string, maxPartBytes: number) {
    this.#delimiter = Buffer.from(`--${boundary}`)
    this.#maxPartBytes = maxPartBytes
  }

  push(chunk: Uint8Array): void {
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#buffer, chunk])
  }

  /** The next complete body, or undefined when more bytes are needed. */
  next(): Buffer | undefined {
    if (this.#bodyBytes === undefined && !this.#readHeader()) return undefined
    const end = this.#bodyBytes === -1 ? this.#untilDelimiter() : this.#bodyBytes!
    if (end === undefined || this.#buffer.length < end) return undefined
    // A copy: the rest of the buffer must not keep a whole part alive, nor the part the rest.
    const body = Buffer.from(this.#buffer.subarray(0, end))
    this.#buffer = this.#buffer.subarray(end)
    this.#bodyBytes = undefined
    return body
  }

  #readHeader(): boolean {
    const start = this.#buffer.indexOf(this.#delimiter)
    const end = start < 0 ? -1 : this.#buffer.indexOf(HEADER_END, start)
    if (end < 0) {
      if (this.#buffer.length > MAX_HEADER_BYTES) throw fault('CAMERA_FAILED', 'no multipart header in 8 KiB')
      return false
    }
    const header = this.#buffer.toString('latin1', start, end)
    const declared = /^content-length:\s*(\d+)\s*$/im.exec(header)?.[1]
    this.#bodyBytes = declared === undefined ? -1 : Number(declared)
    if (this.#bodyBytes > this.#maxPartBytes) throw this.#tooLong(this.#bodyBytes)
    this.#buffer = this.#buffer.subarray(end + HEADER_END.length)
    return true
  }

  #untilDelimiter(): number | undefined {
    const at = this.#buffer.indexOf(this.#delimiter)
    if (at < 0) {
      if (this.#buffer.length > this.#maxPartBytes) throw this.#tooLong(this.#buffer.length)
      return undefined
    }
    // The CRLF before the delimiter belongs to the delimiter (RFC 2046, 5.1.1).
    return this.#buffer[at - 2] === 13 && this.#buffer[at - 1] === 10 ? at - 2 : at
  }

  #tooLong(bytes: number) {
    return fault('CAMERA_FAILED', `a part of ${bytes} bytes exceeds the limit of ${this.#maxPartBytes}`)
  }
}
