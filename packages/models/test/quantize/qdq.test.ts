import { join } from 'node:path'
import { GraphIndex } from '@sightline/models/onnx/graph.js'
import { readModel } from '@sightline/models/onnx/model-file.js'
import { encodeModel, type ModelProto } from '@sightline/models/onnx/proto.js'
import { floatTensor, inlineFloats } from '@sightline/models/onnx/tensor.js'
import { collectHistograms, rangesOf } from '@sightline/models/quantize/calibrate.js'
import { foldBatchNorms } from '@sightline/models/quantize/fold-batchnorm.js'
import { type Layer, surveyLayers } from '@sightline/models/quantize/layers.js'
import { cosine } from '@sightline/models/quantize/measure.js'
import { silent } from '@sightline/models/quantize/progress.js'
import { activationScale, type QdqTarget, quantiseQdq } from '@sightline/models/quantize/qdq.js'
import { planQdq } from '@sightline/models/quantize/qdq-plan.js'
import type { Feeds } from '@sightline/models/quantize/runtime.js'
import { WeightStore } from '@sightline/models/quantize/weights.js'
import ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { attentionNet, model, node, noise, residualNet, weight } from '../support/graphs.ts'
import { codeOf, operators, output, pictureFeeds, tokenFeeds, withTempDir } from '../support/run.ts'

const pictures = [1, 2, 3, 4].map(seed => pictureFeeds(seed))

interface Options {
  readonly target?: QdqTarget
  readonly keep?: (layer: Layer) => boolean
}

async function qdq(source: ModelProto, samples: readonly Feeds[], { target = 'cpu', keep }: Options = {}) {
  const index = new GraphIndex(source)
  const { layers } = surveyLayers(index)
  const tensors = [...planQdq(index, layers).tensors]
  const histograms = await collectHistograms(
    { source: { model: source, dir: '/' }, index, tensors, samples },
    silent,
  )
  const ranges = rangesOf(histograms, 'minmax', 100)
  const chosen = keep ? layers.filter(layer => !keep(layer)) : layers
  const weights = new WeightStore({ dir: '/', reduceRange: false })
  return quantiseQdq({ model: source, index, layers: chosen, weights, ranges, target })
}

/** Operators that ONNX Runtime makes of a model. */
async function fused(source: ModelProto): Promise<Record<string, number>> {
  return withTempDir(async dir => {
    const optimizedModelFilePath = join(dir, 'optimised.onnx')
    const session = await ort.InferenceSession.create(encodeModel(source), {
      optimizedModelFilePath,
      logSeverityLevel: 4,
    })
    await session.release()
    return operators((await readModel(optimizedModelFilePath)).model)
  })
}

test('a residual network runs in integer kernels from end to end', async () => {
  const source = residualNet()
  const changed = await qdq(source, pictures)
  for (const feeds of [...pictures, pictureFeeds(9)]) {
    expect(cosine(await output(source, feeds), await output(changed, feeds))).toBeGreaterThan(0.995)
  }
  const kernels = await fused(changed)
  expect(kernels).toMatchObject({ QLinearConv: 4, QLinearAdd: 1, QGemm: 1 })
  expect(kernels).not.toHaveProperty('Conv')
  expect(kernels).not.toHaveProperty('Relu')
})

test('a layer left in float takes no neighbour with it', async () => {
  const source = residualNet()
  const changed = await qdq(source, pictures, { keep: layer => layer.id === 'Conv_c3' })
  expect(await fused(changed)).toMatchObject({ Conv: 1, QLinearConv: 3, QLinearAdd: 1, QGemm: 1 })
  expect(cosine(await output(source, pictures[0]!), await output(changed, pictures[0]!))).toBeGreaterThan(
    0.995,
  )
})

test('every choice of layers needs only tensors that the full choice calibrates', () => {
  const index = new GraphIndex(residualNet())
  const { layers } = surveyLayers(index)
  const all = planQdq(index, layers).tensors
  for (let choice = 1; choice < 2 ** layers.length; choice++) {
    const chosen = layers.filter((_, at) => (choice >> at) & 1)
    for (const tensor of planQdq(index, chosen).tensors) expect(all.has(tensor)).toBe(true)
  }
})

test('tensorrt: symmetric int8 activations, float bias', async () => {
  const source = residualNet()
  const changed = await qdq(source, pictures, { target: 'tensorrt' })
  const types = changed.graph!.initializer!.map(({ dataType }) => dataType)
  expect(types).not.toContain(2)
  expect(types).not.toContain(6)
  for (const { name, rawData } of changed.graph!.initializer!.filter(({ name }) => name?.includes('zero'))) {
    expect([...rawData!], name).toEqual([...rawData!].map(() => 0))
  }
  expect(cosine(await output(source, pictures[0]!), await output(changed, pictures[0]!))).toBeGreaterThan(
    0.99,
  )
})

test('transformers: projections static, tables int8, the rest in float', async () => {
  const source = attentionNet()
  const samples = [1, 2, 3, 4, 5, 6].map(seed => tokenFeeds(seed))
  const changed = await qdq(source, samples)
  expect(cosine(await output(source, samples[0]!), await output(changed, samples[0]!))).toBeGreaterThan(0.99)
  expect(await fused(changed)).toMatchObject({ MatMulIntegerToFloat: 4 })
})

test('a large bias over tiny weights does not overflow int32', async () => {
  const tiny = weight('w', [4, 3, 1, 1], 1, 1e-12)
  const source = model({
    inputs: { pixel_values: ['b', 3, 16, 16] },
    outputs: ['y'],
    nodes: [
      node('Conv', ['pixel_values', 'w', 'b'], ['c'], { kernel_shape: [1, 1] }),
      node('Relu', ['c'], ['r']),
      node('Conv', ['r', 'w2'], ['d'], { kernel_shape: [1, 1] }),
      node('GlobalAveragePool', ['d'], ['y']),
    ],
    weights: [tiny, floatTensor('b', [4], Float32Array.of(5, 1, 0.5, 3)), weight('w2', [4, 4, 1, 1], 2)],
  })
  const changed = await qdq(source, pictures)
  expect(cosine(await output(source, pictures[0]!), await output(changed, pictures[0]!))).toBeGreaterThan(
    0.999,
  )
})

test('batch normalisation is folded into the convolution before it', async () => {
  const source = model({
    inputs: { pixel_values: ['b', 3, 16, 16] },
    outputs: ['y'],
    nodes: [
      node('Conv', ['pixel_values', 'w'], ['c'], { kernel_shape: [3, 3] }),
      node('BatchNormalization', ['c', 'g', 'beta', 'mean', 'var'], ['n']),
      node('Relu', ['n'], ['y']),
    ],
    weights: [
      weight('w', [8, 3, 3, 3], 1),
      weight('g', [8], 2, 1),
      weight('beta', [8], 3),
      weight('mean', [8], 4),
      floatTensor(
        'var',
        [8],
        noise(8, 5).map(value => Math.abs(value) + 0.1),
      ),
    ],
  })
  const folded = await foldBatchNorms(source, '/')
  expect(operators(folded)).toEqual({ Conv: 1, Relu: 1 })
  const [before, after] = [await output(source, pictures[0]!), await output(folded, pictures[0]!)]
  expect(Math.max(...before.map((value, at) => Math.abs(value - after[at]!)))).toBeLessThan(1e-5)
  const untouched = residualNet()
  expect(await foldBatchNorms(untouched, '/')).toBe(untouched)
})

test('zero is exact in every activation scale', () => {
  for (const [min, max] of [
    [-1, 3],
    [0.5, 2],
    [-3, -1],
    [0, 0],
    [-1e-8, 5],
  ] as const) {
    const { scale, zeroPoint } = activationScale({ min, max }, 'cpu')
    expect(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255).toBe(true)
    expect(scale).toBeGreaterThan(0)
    if (max > min) {
      expect((0 - zeroPoint) * scale).toBeLessThanOrEqual(Math.min(0, min) + scale)
      expect((255 - zeroPoint) * scale).toBeGreaterThanOrEqual(Math.max(0, max) - scale)
    }
    expect(activationScale({ min, max }, 'tensorrt').zeroPoint).toBe(0)
  }
})

test('NaN in an activation is told, not calibrated', async () => {
  const source = residualNet()
  const poisoned = inlineFloats(source.graph!.initializer!.find(({ name }) => name === 'b0')!)
  poisoned[0] = Infinity
  expect(await codeOf(() => qdq(source, pictures))).toBe('QUANTISE_UNSUPPORTED')
})
