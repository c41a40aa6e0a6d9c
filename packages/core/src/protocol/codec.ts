import { decode, encode } from '@msgpack/msgpack'
import type { Static, TSchema } from 'typebox'
import { fault, messageOf } from '../errors.ts'
import { conforms, faultLines, schemaFaults } from '../schema.ts'

/** Bounds inside one message, so that a small packet cannot claim a huge allocation. */
const LIMITS = {
  maxStrLength: 65_536,
  maxBinLength: 64 * 1024 * 1024,
  maxArrayLength: 100_000,
  maxMapLength: 1_000,
}

export function encodeMessagePack(message: unknown): Uint8Array {
  return encode(message, { ignoreUndefined: true })
}

export function encodeJson(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(message))
}

/** @throws PAYLOAD_INVALID when the bytes are not MessagePack or not of this schema. */
export function decodeMessagePack<T extends TSchema>(schema: T, payload: Uint8Array): Static<T> {
  return checked(schema, () => decode(payload, { ...LIMITS, maxExtLength: 0 }))
}

/** @throws PAYLOAD_INVALID when the bytes are not JSON or not of this schema. */
export function decodeJson<T extends TSchema>(schema: T, payload: Uint8Array): Static<T> {
  return checked(schema, () => JSON.parse(Buffer.from(payload).toString('utf8')))
}

function checked<T extends TSchema>(schema: T, parse: () => unknown): Static<T> {
  let value: unknown
  try {
    value = parse()
  } catch (cause) {
    throw fault('PAYLOAD_INVALID', `cannot be parsed: ${messageOf(cause)}`, { cause })
  }
  if (!conforms(schema, value)) {
    throw fault('PAYLOAD_INVALID', faultLines(schemaFaults(schema, value).slice(0, 10)))
  }
  return value
}
