import { type GraphIndex, NamePool, rebuild } from '../onnx/graph.ts'
import type { ModelProto, NodeProto, TensorProto } from '../onnx/proto.ts'
import { floatTensor, int8Tensor } from '../onnx/tensor.ts'
import type { QuantisedWeight } from './weights.ts'

/** Collects the nodes and weights of a rewritten graph, in order. */
export class Rewrite {
  readonly nodes: NodeProto[] = []
  private readonly tensors: TensorProto[] = []
  private readonly stored = new Map<string, string>()
  private readonly pool: NamePool

  constructor(index: GraphIndex) {
    this.pool = new NamePool(index)
  }

  /** A fresh value or tensor name. */
  name(wanted: string): string {
    return this.pool.take(wanted)
  }

  push(...nodes: readonly NodeProto[]): void {
    this.nodes.push(...nodes)
  }

  /** Stores a tensor once per key and returns its name. */
  store(key: string, make: (name: string) => TensorProto): string {
    const known = this.stored.get(key)
    if (known !== undefined) return known
    const tensor = make(this.pool.take(key))
    this.tensors.push(tensor)
    this.stored.set(key, tensor.name ?? '')
    return tensor.name ?? ''
  }

  int8(weight: QuantisedWeight): string {
    return this.store(`${weight.key}_int8`, name => int8Tensor(name, weight.dims, weight.values))
  }

  floats(key: string, dims: readonly number[], values: Float32Array): string {
    return this.store(key, name => floatTensor(name, dims, values))
  }

  finish(model: ModelProto): ModelProto {
    return rebuild(model, this.nodes, this.tensors)
  }
}
