import { GraphIndex } from '@sightline/models/onnx/graph.js'
import { DataType, type ValueInfoProto, valueInfo } from '@sightline/models/onnx/proto.js'
import { planInputs } from '@sightline/models/quantize/inputs.js'
import { expect, test } from 'vitest'
import { codeOf } from '../support/run.ts'

const { FLOAT, INT32, INT64 } = DataType
const plan = (...input: ValueInfoProto[]) => planInputs(new GraphIndex({ graph: { input } }))

test('an image tower', () => {
  expect(plan(valueInfo('pixel_values', FLOAT, ['b', 3, 224, 224]))).toEqual({
    picture: { name: 'pixel_values', size: 224 },
    text: undefined,
  })
  expect(plan(valueInfo('image', FLOAT, ['b', 3, 'h', 'w'])).picture).toEqual({
    name: 'image',
    size: undefined,
  })
})

test('text towers with and without mask, types and fixed length', () => {
  expect(plan(valueInfo('input_ids', INT64, ['b', 77])).text).toMatchObject({
    ids: 'input_ids',
    idType: 'int64',
    length: 77,
  })
  const bert = ['token_type_ids', 'attention_mask', 'input_ids'].map(name =>
    valueInfo(name, INT32, ['b', 's']),
  )
  expect(plan(...bert).text).toMatchObject({
    ids: 'input_ids',
    mask: 'attention_mask',
    types: 'token_type_ids',
    idType: 'int32',
    length: undefined,
  })
})

test('both towers in one file', () => {
  const both = plan(
    valueInfo('pixel_values', FLOAT, ['b', 3, 32, 32]),
    valueInfo('input_ids', INT64, ['b', 's']),
  )
  expect(both.picture?.name).toBe('pixel_values')
  expect(both.text?.ids).toBe('input_ids')
})

test.each([
  ['four channels', valueInfo('x', FLOAT, ['b', 4, 32, 32])],
  ['a vector', valueInfo('x', FLOAT, ['b', 512])],
  ['float ids', valueInfo('input_ids', FLOAT, ['b', 's'])],
  ['no type at all', { name: 'x' }],
  ['a mask without ids', valueInfo('attention_mask', INT64, ['b', 's'])],
])('%s is no known input', async (_, info) => {
  expect(await codeOf(() => plan(info))).toBe('QUANTISE_INPUTS_UNKNOWN')
})
