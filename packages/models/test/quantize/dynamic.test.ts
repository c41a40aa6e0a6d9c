import { GraphIndex } from '@sightline/models/onnx/graph.js'
import type { ModelProto } from '@sightline/models/onnx/proto.js'
import { floatTensor } from '@sightline/models/onnx/tensor.js'
import { quantiseDynamic } from '@sightline/models/quantize/dynamic.js'
import { surveyLayers } from '@sightline/models/quantize/layers.js'
import { cosine } from '@sightline/models/quantize/measure.js'
import type { Feeds } from '@sightline/models/quantize/runtime.js'
import { WeightStore } from '@sightline/models/quantize/weights.js'
import { describe, expect, test } from 'vitest'
import { attentionNet, model, node, residualNet, weight } from '../support/graphs.ts'
import { floatFeeds, operators, output, pictureFeeds, tokenFeeds } from '../support/run.ts'

async function dynamic(source: ModelProto, reduceRange = false): Promise<ModelProto> {
  const index = new GraphIndex(source)
  const { layers } = surveyLayers(index)
  return quantiseDynamic({
    model: source,
    index,
    layers,
    weights: new WeightStore({ dir: '/', reduceRange }),
  })
}

async function similarity(source: ModelProto, changed: ModelProto, feeds: Feeds): Promise<number> {
  return cosine(await output(source, feeds), await output(changed, feeds))
}

test('attention block: projections and table become int8, one DynamicQuantizeLinear per activation', async () => {
  const source = attentionNet()
  const changed = await dynamic(source)
  expect(operators(changed)).toMatchObject({
    MatMulInteger: 4,
    DynamicQuantizeLinear: 2,
    MatMul: 2,
    Gather: 2,
  })
  expect(changed.graph!.initializer!.find(({ name }) => name === 'table')).toBeUndefined()
  for (const seed of [1, 2, 3])
    expect(await similarity(source, changed, tokenFeeds(seed))).toBeGreaterThan(0.995)
})

test('rows of a table keep their own scale', async () => {
  const table = Float32Array.from(
    { length: 128 * 64 },
    (_, at) => Math.sin(at) * 10 ** (Math.floor(at / 64) % 5),
  )
  const source = model({
    inputs: { input_ids: ['b', 's'] },
    integerInputs: ['input_ids'],
    outputs: ['y'],
    nodes: [node('Gather', ['table', 'input_ids'], ['y'])],
    weights: [floatTensor('table', [128, 64], table)],
  })
  const feeds = tokenFeeds(4, 12, 128)
  const [float, int8] = [await output(source, feeds), await output(await dynamic(source), feeds)]
  for (let row = 0; row < 12; row++) {
    expect(
      cosine(float.subarray(row * 64, row * 64 + 64), int8.subarray(row * 64, row * 64 + 64)),
    ).toBeGreaterThan(0.9999)
  }
})

describe('Gemm', () => {
  const gemm = (
    attributes: Record<string, number | { float: number }>,
    dims: readonly number[],
    bias = true,
  ) =>
    model({
      inputs: { x: ['b', 24] },
      outputs: ['y'],
      nodes: [node('Gemm', bias ? ['x', 'w', 'c'] : ['x', 'w'], ['y'], attributes)],
      weights: [weight('w', dims, 1), ...(bias ? [weight('c', [40], 2)] : [])],
    })
  test.each([
    ['plain', gemm({}, [24, 40])],
    ['transB', gemm({ transB: 1 }, [40, 24])],
    ['alpha and beta', gemm({ alpha: { float: -0.5 }, beta: { float: 3 } }, [24, 40])],
    ['without bias', gemm({}, [24, 40], false)],
  ])('%s', async (_, source) => {
    const changed = await dynamic(source)
    expect(operators(changed)).not.toHaveProperty('Gemm')
    expect(await similarity(source, changed, floatFeeds('x', [3, 24], 7))).toBeGreaterThan(0.999)
  })
})

test('a weight that arrives through Identity and Transpose, shared by two layers, is stored once', async () => {
  const source = model({
    inputs: { x: ['b', 16] },
    outputs: ['y'],
    nodes: [
      node('Identity', ['w'], ['same']),
      node('Transpose', ['same'], ['turned'], { perm: [1, 0] }),
      node('MatMul', ['x', 'turned'], ['h']),
      node('Relu', ['h'], ['r']),
      node('MatMul', ['r', 'turned'], ['y']),
    ],
    weights: [weight('w', [16, 16], 3)],
  })
  const changed = await dynamic(source)
  expect(changed.graph!.initializer!.filter(({ dataType }) => dataType === 3)).toHaveLength(1)
  expect(operators(changed)).not.toHaveProperty('Transpose')
  expect(await similarity(source, changed, floatFeeds('x', [2, 16], 1))).toBeGreaterThan(0.998)
})

test('a weight in a Constant node and float_data are taken too', async () => {
  const value = {
    dims: [8, 8],
    dataType: 1,
    floatData: [...Float32Array.from({ length: 64 }, (_, at) => Math.cos(at))],
  }
  const source = model({
    inputs: { x: ['b', 8] },
    outputs: ['y'],
    nodes: [node('Constant', [], ['w'], { value }), node('MatMul', ['x', 'w'], ['y'])],
    weights: [],
  })
  expect(await similarity(source, await dynamic(source), floatFeeds('x', [2, 8], 1))).toBeGreaterThan(0.999)
})

test('convolutions through ConvInteger', async () => {
  const source = residualNet()
  const changed = await dynamic(source)
  expect(operators(changed)).toMatchObject({ ConvInteger: 4 })
  expect(await similarity(source, changed, pictureFeeds(1))).toBeGreaterThan(0.995)
})

test('7-bit weights', async () => {
  const source = attentionNet()
  const changed = await dynamic(source, true)
  const int8 = changed.graph!.initializer!.filter(({ dataType }) => dataType === 3)
  for (const { rawData } of int8) {
    const values = new Int8Array(rawData!.buffer, rawData!.byteOffset, rawData!.length)
    expect(Math.max(...values.map(Math.abs))).toBe(63)
  }
  expect(await similarity(source, changed, tokenFeeds(1))).toBeGreaterThan(0.99)
})
