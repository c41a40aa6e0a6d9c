import { readSync } from 'node:fs'
import { fault } from '@sightline/core/errors.js'

/** Weights are skipped by seeking, so that each of them costs one short read. */
const WINDOW_BYTES = 4096
/** Names, types and small messages; nothing that is looked at is longer. */
const MAX_VALUE_BYTES = 1 << 20

const WIRE_VARINT = 0
const WIRE_64_BIT = 1
const WIRE_BYTES = 2
const WIRE_32_BIT = 5

export interface ProtoField {
  readonly number: number
  /** Of varints; 0 otherwise. */
  readonly value: number
  /** Where the bytes of a length-delimited field lie; empty otherwise. */
  readonly start: number
  readonly end: number
}

/** Walks protobuf in a file without loading it: an ONNX file may be larger than memory. */
export class ProtoFile {
  readonly #fd: number
  readonly #window = Buffer.alloc(WINDOW_BYTES)
  #windowStart = 0
  #windowEnd = 0

  constructor(fd: number) {
    this.#fd = fd
  }

  /** @throws MODEL_INVALID when the bytes are not protobuf */
  *fields(start: number, end: number): Generator<ProtoField> {
    for (let at = start; at < end; ) {
      const [tag, afterTag] = this.#varint(at, end)
      const number = Math.floor(tag / 8)
      const wire = tag % 8
      if (wire === WIRE_VARINT) {
        const [value, next] = this.#varint(afterTag, end)
        yield { number, value, start: next, end: next }
        at = next
      } else if (wire === WIRE_BYTES) {
        const [length, next] = this.#varint(afterTag, end)
        at = next + length
        if (at > end) throw damaged()
        yield { number, value: 0, start: next, end: at }
      } else if (wire === WIRE_64_BIT || wire === WIRE_32_BIT) {
        at = afterTag + (wire === WIRE_64_BIT ? 8 : 4)
        yield { number, value: 0, start: at, end: at }
      } else {
        throw damaged()
      }
    }
  }

  bytes({ start, end }: ProtoField): Buffer {
    const length = end - start
    if (length > MAX_VALUE_BYTES) throw damaged()
    const value = Buffer.alloc(length)
    for (let done = 0; done < length; ) {
      const read = readSync(this.#fd, value, done, length - done, start + done)
      if (read === 0) throw damaged()
      done += read
    }
    return value
  }

  text(field: ProtoField): string {
    return this.bytes(field).toString('utf8')
  }

  /** 64-bit values beyond 2^53 lose their low bits: nothing here needs them. */
  #varint(start: number, end: number): [value: number, next: number] {
    let value = 0
    let factor = 1
    for (let at = start; at < end && at < start + 10; at++) {
      const byte = this.#byte(at)
      value += (byte & 0x7f) * factor
      factor *= 128
      if (byte < 0x80) return [value, at + 1]
    }
    throw damaged()
  }

  #byte(at: number): number {
    if (at < this.#windowStart || at >= this.#windowEnd) {
      const read = readSync(this.#fd, this.#window, 0, WINDOW_BYTES, at)
      if (read === 0) throw damaged()
      this.#windowStart = at
      this.#windowEnd = at + read
    }
    return this.#window[at - this.#windowStart]!
  }
}

const damaged = () => fault('MODEL_INVALID', 'the bytes are not protobuf')
