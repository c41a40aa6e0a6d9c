import { type AttributeValue, node } from '@sightline/models/onnx/nodes.js'
import {
  DataType,
  encodeModel,
  type NodeProto,
  type TensorProto,
  valueInfo,
} from '@sightline/models/onnx/proto.js'
import { floatTensor, int64Tensor } from '@sightline/models/onnx/tensor.js'

/** OpenAI CLIP's ViT-B/32 (Radford et al. 2021, table 20). */
export const VIT = { size: 224, patch: 32, width: 768, heads: 12, layers: 12, dim: 512 } as const

/** The ONNX file of the image tower: `pixel_values` [batch, 3, 224, 224] to `image_embeds` [batch, 512]. */
export function visionTransformer(): Uint8Array {
  const { size, patch, width, heads, layers, dim } = VIT
  const tokens = (size / patch) ** 2 + 1
  const head = width / heads
  const graph = new Graph()
  const shape = (name: string, dims: readonly number[]) => graph.integers(name, dims)
  const split = shape('split', [0, tokens, heads, head])
  const joined = shape('joined', [0, tokens, width])

  const patches = graph.add('Conv', ['pixel_values', graph.weight('patch', [width, 3, patch, patch])], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  })
  const flat = graph.add('Reshape', [patches, shape('grid', [0, width, tokens - 1])])
  const sequence = graph.add('Transpose', [flat], { perm: [0, 2, 1] })
  // The class token, once for every picture of the batch.
  const first = graph.add('Slice', [sequence, shape('from', [0]), shape('to', [1]), shape('axis', [1])])
  const zero = graph.add('Mul', [first, graph.weight('zero', [1], 0)])
  const token = graph.add('Add', [zero, graph.weight('class', [1, 1, width])])
  const all = graph.add('Concat', [token, sequence], { axis: 1 })
  let x = graph.norm(graph.add('Add', [all, graph.weight('position', [1, tokens, width])]), width)

  for (let layer = 0; layer < layers; layer++) {
    const before = graph.norm(x, width)
    const [q, k, v] = ['q', 'k', 'v'].map(name => {
      const projected = graph.linear(before, `${name}${layer}`, width, width)
      return graph.add('Reshape', [projected, split])
    }) as [string, string, string]
    const queries = graph.add('Transpose', [q], { perm: [0, 2, 1, 3] })
    const keys = graph.add('Transpose', [k], { perm: [0, 2, 3, 1] })
    const values = graph.add('Transpose', [v], { perm: [0, 2, 1, 3] })
    const scores = graph.add('Mul', [
      graph.add('MatMul', [queries, keys]),
      graph.constant(`scale${layer}`, 1 / Math.sqrt(head)),
    ])
    const mixed = graph.add('MatMul', [graph.add('Softmax', [scores], { axis: -1 }), values])
    const merged = graph.add('Reshape', [graph.add('Transpose', [mixed], { perm: [0, 2, 1, 3] }), joined])
    x = graph.add('Add', [x, graph.linear(merged, `out${layer}`, width, width)])

    const wide = graph.linear(graph.norm(x, width), `up${layer}`, width, 4 * width)
    // QuickGELU, as the original has it: x sigmoid(1.702 x).
    const gate = graph.add('Sigmoid', [graph.add('Mul', [wide, graph.constant(`gelu${layer}`, 1.702)])])
    const active = graph.add('Mul', [wide, gate])
    x = graph.add('Add', [x, graph.linear(active, `down${layer}`, 4 * width, width)])
  }
  const pooled = graph.add('Gather', [x, graph.integers('pool', [0], true)], { axis: 1 })
  graph.add(
    'MatMul',
    [graph.norm(pooled, width), graph.weight('projection', [width, dim])],
    {},
    'image_embeds',
  )
  return graph.encode([VIT.size, VIT.size])
}

/** Nodes and weights as they are asked for. */
class Graph {
  readonly #nodes: NodeProto[] = []
  readonly #weights: TensorProto[] = []

  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output = `v${this.#nodes.length}`,
  ): string {
    this.#nodes.push(node(op, inputs, [output], attributes))
    return output
  }

  weight(name: string, dims: readonly number[], spread = 0.02): string {
    const count = dims.reduce((product, dim) => product * dim, 1)
    this.#weights.push(floatTensor(name, dims, noise(count, { seed: this.#weights.length + 1, spread })))
    return name
  }

  constant(name: string, value: number): string {
    this.#weights.push(floatTensor(name, [], Float32Array.of(value)))
    return name
  }

  integers(name: string, values: readonly number[], scalar = false): string {
    const tensor = int64Tensor(name, values)
    this.#weights.push(scalar ? { ...tensor, dims: [] } : tensor)
    return name
  }

  linear(input: string, name: string, from: number, to: number): string {
    const product = this.add('MatMul', [input, this.weight(`${name}.weight`, [from, to])])
    return this.add('Add', [product, this.weight(`${name}.bias`, [to])])
  }

  norm(input: string, width: number): string {
    const name = `norm${this.#nodes.length}`
    this.#weights.push(floatTensor(`${name}.gain`, [width], new Float32Array(width).fill(1)))
    return this.add('LayerNormalization', [input, `${name}.gain`, this.weight(`${name}.bias`, [width])], {
      axis: -1,
    })
  }

  encode([height, width]: readonly [number, number]): Uint8Array {
    return encodeModel({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      producerName: 'sightline bench',
      graph: {
        name: 'vit-b-32',
        node: this.#nodes,
        initializer: this.#weights,
        input: [valueInfo('pixel_values', DataType.FLOAT, ['batch', 3, height, width])],
        output: [valueInfo('image_embeds', DataType.FLOAT, ['batch', VIT.dim])],
      },
    })
  }
}

/** Roughly normal, seeded (Numerical Recipes' LCG). */
export function noise(count: number, { seed, spread }: { seed: number; spread: number }): Float32Array {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * spread)
}
