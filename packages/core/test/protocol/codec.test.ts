import {
  decodeJson,
  decodeMessagePack,
  encodeJson,
  encodeMessagePack,
} from '@sightline/core/protocol/codec.js'
import { Ack, EmbeddingBatch } from '@sightline/core/protocol/messages.js'
import { vectorFromBytes, vectorToBytes } from '@sightline/core/vector.js'
import { describe, expect, it } from 'vitest'

const vector = Float32Array.from({ length: 8 }, (_, i) => (i === 2 ? 1 : 0))
const batch: EmbeddingBatch = {
  v: 1,
  session: '01JD0000000000000000000000',
  fingerprint: 'mini:0123456789ab',
  dim: 8,
  dtype: 'f32',
  historical: false,
  skipped: [[3, 4]],
  items: [
    {
      seq: 5,
      camera: 'yard',
      capturedAt: 1_700_000_000_000,
      vector: vectorToBytes(vector),
      verdicts: [{ rule: 'fire', score: 0.9, similarity: 0.3, fired: true }],
      thumbnail: Uint8Array.of(0xff, 0xd8),
    },
  ],
}

describe('codec', () => {
  it('carries a batch through MessagePack', () => {
    const read = decodeMessagePack(EmbeddingBatch, encodeMessagePack(batch))
    expect(read).toEqual(batch)
    expect(vectorFromBytes(read.items[0]!.vector, 8)).toEqual(vector)
  })

  it.each([
    ['not MessagePack', Uint8Array.of(0xc1)],
    ['cut off', encodeMessagePack(batch).subarray(0, 40)],
    ['another schema', encodeMessagePack({ ...batch, v: 2 })],
    ['an unknown key', encodeMessagePack({ ...batch, extra: true })],
    ['a vector that is text', encodeMessagePack({ ...batch, items: [{ ...batch.items[0], vector: 'x' }] })],
    ['an array that claims 2^32 items', Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
  ])('refuses what is %s', (_what, payload) => {
    expect(() => decodeMessagePack(EmbeddingBatch, payload)).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    )
  })

  it('carries an ack through JSON and refuses broken ones', () => {
    const ack = { v: 1 as const, session: batch.session, upTo: 7, ranges: [[9, 10]] as [number, number][] }
    expect(decodeJson(Ack, encodeJson(ack))).toEqual(ack)
    expect(() => decodeJson(Ack, Buffer.from('{"v":1'))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    )
  })
})

describe('vectors on the wire', () => {
  it.each([
    ['a wrong length', new Uint8Array(31)],
    ['NaN', vectorToBytes(Float32Array.of(Number.NaN, 0, 0, 0, 0, 0, 0, 0))],
    ['a norm of 2', vectorToBytes(Float32Array.of(2, 0, 0, 0, 0, 0, 0, 0))],
  ])('refuses %s', (_what, bytes) => {
    expect(() => vectorFromBytes(bytes, 8)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  it('reads from an unaligned place in a packet', () => {
    const packet = new Uint8Array(33)
    packet.set(vectorToBytes(vector), 1)
    expect(vectorFromBytes(packet.subarray(1), 8)).toEqual(vector)
    // A Buffer's slice is a view of the pool that it came from.
    expect(vectorFromBytes(Buffer.from(packet).subarray(1), 8)).toEqual(vector)
  })
})
