import type { GraphIndex } from '../onnx/graph.ts'
import { isOp } from '../onnx/nodes.ts'
import type { NodeProto } from '../onnx/proto.ts'
import type { Layer } from './layers.ts'

/** Which values become 8-bit and who reads them so. */
export interface QdqPlan {
  /** Tensors that get QuantizeLinear and DequantizeLinear behind their producer. */
  readonly tensors: ReadonlySet<string>
  /** Tensor whose scale another one must share, because the operator between them only moves values. */
  readonly sharedWith: ReadonlyMap<string, string>
  /** True when `node` reads the 8-bit form of `tensor`. */
  reads(node: NodeProto, tensor: string): boolean
}

/** These hand values on: same scale before and after, or the kernel falls back to float. */
const MOVERS = ['MaxPool', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Identity']

/**
 * Activations are 8-bit at the input of every quantised layer, and at the output of a convolution or a residual Add too:
 * only a node with 8-bit values on all sides has an integer kernel (a MatMul or Gemm may end in float). ReLU and Clip stay
 * between the node and its QuantizeLinear, where ONNX Runtime folds them into the scale.
 *
 * Fewer layers never need a tensor that more layers do not need, so one calibration serves every choice of layers.
 */
export function planQdq(index: GraphIndex, layers: readonly Layer[]): QdqPlan {
  const computing = layers.filter(layer => layer.kind !== 'gather')
  const quantised = new Map(computing.map(layer => [layer.node, layer]))
  const tensors = new Set(computing.map(layer => layer.node.input?.[0] ?? ''))
  const sharedWith = new Map<string, string>()
  const readers = new Set<NodeProto>(quantised.keys())
  /** Tensors whose producer only fuses when nobody reads its float result. */
  const closed = new Set<string>()
  /** Those of them that a convolution makes: an Add beside one is a residual connection worth an integer kernel. */
  const convolved = new Set<string>()
  const close = (result: string): string | undefined => {
    const tail = behindActivation(result, index)
    if (index.outputs.has(tail) || index.captured.has(tail) || index.consumers(tail).length === 0)
      return undefined
    tensors.add(tail)
    closed.add(tail)
    return tail
  }
  for (const node of index.nodes) {
    const inputs = node.input ?? []
    const input = inputs[0] ?? ''
    const result = node.output?.[0] ?? ''
    if (quantised.get(node)?.kind === 'conv') {
      const tail = close(result)
      if (tail !== undefined) convolved.add(tail)
    } else if (
      isOp(node, 'Add') &&
      inputs.some(name => convolved.has(name)) &&
      !inputs.some(isConstant(index))
    ) {
      readers.add(node)
      for (const name of inputs) tensors.add(name)
      close(result)
    } else if (
      isOp(node, ...MOVERS) &&
      tensors.has(input) &&
      tensors.has(result) &&
      !index.outputs.has(result)
    ) {
      readers.add(node)
      sharedWith.set(result, input)
      if (closed.has(input)) closed.add(result)
    }
  }
  return {
    tensors,
    sharedWith,
    reads: (node, tensor) => tensors.has(tensor) && (readers.has(node) || closed.has(tensor)),
  }
}

const isConstant = (index: GraphIndex) => (name: string) => index.constant(name) !== undefined

function behindActivation(result: string, index: GraphIndex): string {
  const takers = index.consumers(result)
  const only =
    takers.length === 1 && !index.outputs.has(result) && !index.captured.has(result) ? takers[0] : undefined
  return only && isOp(only, 'Relu', 'Clip') && only.input?.[0] === result
    ? (only.output?.[0] ?? result)
    : result
}
