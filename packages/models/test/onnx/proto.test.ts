import {
  decodeModel,
  encodeModel,
  opsetOf,
  tensorTypeOf,
  toNumber,
  valueInfo,
} from '@sightline/models/onnx/proto.js'
import { dimsOf, inlineFloats } from '@sightline/models/onnx/tensor.js'
import { expect, test } from 'vitest'
import { residualNet } from '../support/graphs.ts'
import { codeOf, output, pictureFeeds } from '../support/run.ts'

test('a model survives encoding and decoding, and runs the same', async () => {
  const before = residualNet()
  const after = decodeModel(encodeModel(before))
  expect(after.graph?.node?.map(node => node.opType)).toEqual(before.graph?.node?.map(node => node.opType))
  expect(dimsOf(after.graph!.initializer![0]!)).toEqual([16, 3, 3, 3])
  expect(await output(after, pictureFeeds(1))).toEqual(await output(before, pictureFeeds(1)))
})

test('what the quantiser does not look into comes back byte for byte', () => {
  const net = residualNet()
  const opaque = Uint8Array.of(10, 3, 1, 2, 3)
  const model = {
    ...net,
    opsetImport: [...net.opsetImport!, { domain: 'com.example', version: 3 }],
    metadataProps: [{ key: 'author', value: 'test' }],
    functions: [opaque],
    trainingInfo: [opaque],
    configuration: [opaque],
  }
  const after = decodeModel(encodeModel(model)) as typeof model
  expect(opsetOf(after, 'com.example')).toBe(3)
  expect(after.metadataProps).toMatchObject([{ key: 'author', value: 'test' }])
  for (const field of ['functions', 'trainingInfo', 'configuration'] as const) {
    expect(Uint8Array.from(after[field][0]!)).toEqual(opaque)
  }
})

test('float_data and raw_data read the same', () => {
  const values = Float32Array.of(1, -2.5, 3e-9)
  const packed = { name: 'a', dims: [3], dataType: 1, floatData: [...values] }
  const raw = { name: 'a', dims: [3], dataType: 1, rawData: new Uint8Array(values.buffer) }
  expect(inlineFloats(packed)).toEqual(values)
  expect(inlineFloats(raw)).toEqual(values)
})

test('raw data that does not start on a 4-byte boundary is read', () => {
  const values = Float32Array.of(7, 8, 9)
  const shifted = Buffer.alloc(13)
  shifted.set(new Uint8Array(values.buffer), 1)
  expect(inlineFloats({ dims: [3], dataType: 1, rawData: shifted.subarray(1) })).toEqual(values)
})

test('64-bit dimensions and symbolic dimensions are read', () => {
  const type = tensorTypeOf(valueInfo('x', 1, ['batch', 2 ** 33, '']))
  expect(type).toEqual({ elemType: 1, shape: ['batch', 2 ** 33, ''] })
  expect(tensorTypeOf({ name: 'x' })).toBeUndefined()
  expect(toNumber(undefined)).toBe(0)
})

test('a tensor with fewer values than its shape says is refused', async () => {
  expect(await codeOf(() => inlineFloats({ dims: [4], dataType: 1, floatData: [1] }))).toBe(
    'QUANTISE_NOT_ONNX',
  )
})

test.each([
  ['a text', Buffer.from('this is no model at all, only words')],
  ['nothing', Buffer.alloc(0)],
  ['a JPEG', Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')],
  ['half a model', Buffer.from(encodeModel(residualNet())).subarray(0, 900)],
])('%s is not an ONNX file', async (_, bytes) => {
  expect(await codeOf(() => decodeModel(bytes))).toBe('QUANTISE_NOT_ONNX')
})
