import { GraphIndex, NamePool, rebuild } from '@sightline/models/onnx/graph.js'
import type { ModelProto, NodeProto } from '@sightline/models/onnx/proto.js'
import { floatTensor } from '@sightline/models/onnx/tensor.js'
import { expect, test } from 'vitest'
import { model, node, weight } from '../support/graphs.ts'

/** A Transpose of an Identity of a stored weight, and a Constant node. */
function indirect(): ModelProto {
  return model({
    inputs: { x: ['b', 4] },
    outputs: ['y'],
    nodes: [
      node('Identity', ['w'], ['w_same']),
      node('Transpose', ['w_same'], ['w_turned'], { perm: [1, 0] }),
      node('Constant', [], ['c'], { value: floatTensor('', [1], Float32Array.of(2)) }),
      node('MatMul', ['x', 'w_turned'], ['m']),
      node('Mul', ['m', 'c'], ['y']),
    ],
    weights: [weight('w', [8, 4], 1), weight('unused', [3], 2)],
  })
}

test('constants are found behind Identity, Transpose and Constant', () => {
  const index = new GraphIndex(indirect())
  expect(index.constant('w')).toMatchObject({ perm: undefined, dims: [8, 4] })
  expect(index.constant('w_turned')).toMatchObject({ perm: [1, 0], dims: [4, 8], tensor: { name: 'w' } })
  expect(index.constant('c')?.tensor.rawData).toHaveLength(4)
  expect(index.constant('x')).toBeUndefined()
  expect(index.constant('m')).toBeUndefined()
})

test('rebuilding drops what nobody reads', () => {
  const source = indirect()
  const nodes = source.graph!.node!.map(
    (entry): NodeProto => (entry.opType === 'MatMul' ? { ...entry, input: ['x', 'new'] } : entry),
  )
  const { graph } = rebuild(source, nodes, [weight('new', [4, 8], 3)])
  expect(graph!.node!.map(({ opType }) => opType)).toEqual(['Constant', 'MatMul', 'Mul'])
  expect(graph!.initializer!.map(({ name }) => name)).toEqual(['new'])
})

test('initializers listed as inputs leave with their weight (IR 3)', () => {
  const source = indirect()
  const listed = {
    ...source,
    graph: { ...source.graph, input: [...source.graph!.input!, { name: 'w' }, { name: 'unused' }] },
  }
  expect(new GraphIndex(listed).feedNames()).toEqual(['x'])
  const { graph } = rebuild(listed, listed.graph.node!, [])
  expect(graph!.input!.map(({ name }) => name)).toEqual(['x', 'w'])
})

test('what a nested graph takes from outside is kept', () => {
  const branch = { name: 'then', node: [node('Identity', ['w'], ['t'])], output: [{ name: 't' }] }
  const choose: NodeProto = {
    ...node('If', ['flag'], ['y']),
    attribute: [
      { name: 'then_branch', type: 5, g: branch },
      { name: 'else_branch', type: 5, g: branch },
    ],
  }
  const source = model({
    inputs: { flag: [] },
    outputs: ['y'],
    nodes: [choose],
    weights: [weight('w', [2], 1)],
  })
  expect(new GraphIndex(source).captured.has('w')).toBe(true)
  expect(rebuild(source, source.graph!.node!, []).graph!.initializer).toHaveLength(1)
})

test('fresh names never collide', () => {
  const pool = new NamePool(new GraphIndex(indirect()))
  expect([pool.take('w'), pool.take('w'), pool.take('fresh')]).toEqual(['w_1', 'w_2', 'fresh'])
})
