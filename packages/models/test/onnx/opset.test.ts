import { GraphIndex } from '@sightline/models/onnx/graph.js'
import { raiseOpset } from '@sightline/models/onnx/opset.js'
import { type ModelProto, opsetOf } from '@sightline/models/onnx/proto.js'
import { expect, test } from 'vitest'
import { model, node } from '../support/graphs.ts'
import { codeOf, floatFeeds, output } from '../support/run.ts'

const raised = (source: ModelProto) => raiseOpset(source, new GraphIndex(source))

function old(softmaxAxis: number, opset = 11): ModelProto {
  return model({
    opset,
    inputs: { x: [1, 2, 6] },
    outputs: ['y'],
    nodes: [
      node('Split', ['x'], ['a', 'b'], { axis: 2, split: [2, 4] }),
      node('ReduceSum', ['b'], ['s'], { axes: [2], keepdims: 0 }),
      node('Unsqueeze', ['s'], ['u'], { axes: [2] }),
      node('Add', ['u', 'a'], ['t']),
      node('Softmax', ['x'], ['p'], { axis: softmaxAxis }),
      node('ReduceSum', ['p'], ['q'], { axes: [0, 1, 2], keepdims: 1 }),
      node('Squeeze', ['q'], ['r'], { axes: [0] }),
      node('Mul', ['t', 'r'], ['y']),
    ],
    weights: [],
  })
}

test('opset 11 becomes 13 and computes the same', async () => {
  const before = old(2)
  const after = raised(before)
  expect(opsetOf(after)).toBe(13)
  const feeds = floatFeeds('x', [1, 2, 6], 5)
  expect(await output(after, feeds)).toEqual(await output(before, feeds))
})

test('a flattening Softmax cannot be raised', async () => {
  expect(await codeOf(() => raised(old(1)))).toBe('QUANTISE_OPSET')
})

test('opset 10 is too old, 13 stays as it is', async () => {
  expect(await codeOf(() => raised(old(2, 10)))).toBe('QUANTISE_OPSET')
  const current = model({
    opset: 13,
    inputs: { x: [1] },
    outputs: ['y'],
    nodes: [node('Relu', ['x'], ['y'])],
    weights: [],
  })
  expect(raised(current)).toBe(current)
})
