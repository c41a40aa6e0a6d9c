import { type AttributeValue, node } from '@sightline/models/onnx/nodes.js'
import {
  DataType,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  valueInfo,
} from '@sightline/models/onnx/proto.js'
import { floatTensor } from '@sightline/models/onnx/tensor.js'

/** Small, seeded, good enough for weights (Numerical Recipes' LCG). */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Roughly normal values of the given spread. */
export function noise(count: number, seed: number, spread = 1): Float32Array {
  const next = random(seed)
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * spread)
}

export interface GraphParts {
  readonly nodes: NodeProto[]
  readonly weights: TensorProto[]
  readonly inputs: Record<string, readonly (number | string)[]>
  readonly outputs: readonly string[]
  readonly integerInputs?: readonly string[]
  readonly opset?: number
}

export function model({
  nodes,
  weights,
  inputs,
  outputs,
  integerInputs = [],
  opset = 17,
}: GraphParts): ModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: opset }],
    producerName: 'test',
    graph: {
      name: 'test',
      node: nodes,
      initializer: weights,
      input: Object.entries(inputs).map(([name, shape]) =>
        valueInfo(name, integerInputs.includes(name) ? DataType.INT64 : DataType.FLOAT, shape),
      ),
      output: outputs.map(name => valueInfo(name, DataType.FLOAT)),
    },
  }
}

export function weight(name: string, dims: readonly number[], seed: number, spread = 0.1): TensorProto {
  return floatTensor(
    name,
    dims,
    noise(
      dims.reduce((a, b) => a * b, 1),
      seed,
      spread,
    ),
  )
}

export type { AttributeValue }
export { node }

/** Conv, ReLU, a residual block and a head: pixel_values [b, 3, 16, 16] to embedding [b, 32]. */
export function residualNet(opset = 17): ModelProto {
  const pads = { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }
  return model({
    opset,
    inputs: { pixel_values: ['batch', 3, 16, 16] },
    outputs: ['embedding'],
    nodes: [
      node('Conv', ['pixel_values', 'w0', 'b0'], ['c0'], pads),
      node('Relu', ['c0'], ['r0']),
      node('MaxPool', ['r0'], ['p0'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Conv', ['p0', 'w1', 'b1'], ['c1'], pads),
      node('Relu', ['c1'], ['r1']),
      node('Conv', ['r1', 'w2'], ['c2'], pads),
      node('Conv', ['p0', 'w3', 'b3'], ['c3'], { kernel_shape: [1, 1] }),
      node('Add', ['c2', 'c3'], ['a0']),
      node('Relu', ['a0'], ['r2']),
      node('GlobalAveragePool', ['r2'], ['g0']),
      node('Flatten', ['g0'], ['f0']),
      node('Gemm', ['f0', 'w4', 'b4'], ['embedding'], { transB: 1 }),
    ],
    weights: [
      weight('w0', [16, 3, 3, 3], 1, 0.2),
      weight('b0', [16], 2),
      weight('w1', [16, 16, 3, 3], 3),
      weight('b1', [16], 4),
      weight('w2', [16, 16, 3, 3], 5),
      weight('w3', [16, 16, 1, 1], 6, 0.3),
      weight('b3', [16], 7),
      weight('w4', [32, 16], 8, 0.5),
      weight('b4', [32], 9, 0.02),
    ],
  })
}

/** One attention-like block over an embedding table: input_ids [b, s] to states [b, s, 32]. */
export function attentionNet(): ModelProto {
  const linear = (from: string, to: string): NodeProto[] => [
    node('MatMul', [from, `${to}_w`], [`${to}_m`]),
    node('Add', [`${to}_m`, `${to}_b`], [to]),
  ]
  return model({
    inputs: { input_ids: ['batch', 'sequence'] },
    integerInputs: ['input_ids'],
    outputs: ['states'],
    nodes: [
      node('Gather', ['table', 'input_ids'], ['tokens']),
      node('LayerNormalization', ['tokens', 'ln_g', 'ln_b'], ['x'], { axis: -1 }),
      ...linear('x', 'q'),
      ...linear('x', 'k'),
      ...linear('x', 'v'),
      node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'kt'], ['scores']),
      node('Softmax', ['scores'], ['attention'], { axis: -1 }),
      node('MatMul', ['attention', 'v'], ['mixed']),
      ...linear('mixed', 'o'),
      node('Add', ['o', 'tokens'], ['states']),
    ],
    weights: [
      weight('table', [200, 32], 20, 0.5),
      floatTensor('ln_g', [32], new Float32Array(32).fill(1)),
      floatTensor('ln_b', [32], new Float32Array(32)),
      ...['q', 'k', 'v', 'o'].flatMap((name, at) => [
        weight(`${name}_w`, [32, 32], 30 + at, 0.3),
        weight(`${name}_b`, [32], 40 + at),
      ]),
    ],
  })
}
