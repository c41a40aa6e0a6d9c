import type { GraphIndex } from '../onnx/graph.ts'
import { floatAttribute, isOp, node } from '../onnx/nodes.ts'
import { DataType, type ModelProto, type NodeProto } from '../onnx/proto.ts'
import { floatTensor, inlineFloats, int8Tensor, int32Tensor, uint8Tensor } from '../onnx/tensor.ts'
import { quantisedGather } from './gather.ts'
import type { Range } from './histogram.ts'
import type { Layer } from './layers.ts'
import { planQdq, type QdqPlan } from './qdq-plan.ts'
import { Rewrite } from './rewrite.ts'
import type { QuantisedWeight, WeightStore } from './weights.ts'

/** cpu: uint8 activations with a zero point, int32 bias. tensorrt: int8 without zero point, float bias. */
export type QdqTarget = 'cpu' | 'tensorrt'

export interface QdqInput {
  readonly model: ModelProto
  readonly index: GraphIndex
  readonly layers: readonly Layer[]
  readonly weights: WeightStore
  /** Range of every tensor that the plan of all layers names. */
  readonly ranges: ReadonlyMap<string, Range>
  readonly target: QdqTarget
}

export interface ActivationScale {
  readonly scale: number
  readonly zeroPoint: number
}

/** Zero is always representable: padding and ReLU must stay exact. */
export function activationScale({ min, max }: Range, target: QdqTarget): ActivationScale {
  const low = Math.min(0, min)
  const high = Math.max(0, max)
  const span = target === 'cpu' ? (high - low) / 255 : Math.max(-low, high) / 127
  if (!(span > 1e-30)) return { scale: 1, zeroPoint: 0 }
  const scale = Math.fround(span)
  return { scale, zeroPoint: target === 'cpu' ? Math.round(-low / scale) : 0 }
}

/** Static quantisation: QuantizeLinear and DequantizeLinear around everything that has an integer kernel. */
export async function quantiseQdq(input: QdqInput): Promise<ModelProto> {
  const plan = planQdq(input.index, input.layers)
  const out = new Rewrite(input.index)
  const build = new QdqBuild(input, plan, out)
  for (const info of input.index.graph.input ?? []) build.quantiseValue(info.name ?? '')
  const byNode = new Map(input.layers.map(layer => [layer.node, layer]))
  for (const entry of input.index.nodes) {
    const layer = byNode.get(entry)
    if (layer?.kind === 'gather') await quantisedGather(layer, input.weights, out)
    else if (layer) await build.layer(layer)
    else out.push(build.untouched(entry))
    for (const name of entry.output ?? []) build.quantiseValue(name)
  }
  return out.finish(input.model)
}

class QdqBuild {
  private readonly input: QdqInput
  private readonly plan: QdqPlan
  private readonly out: Rewrite
  /** Tensor to the name of its dequantised form. */
  private readonly done = new Map<string, string>()
  private readonly shields = new Map<string, string>()

  constructor(input: QdqInput, plan: QdqPlan, out: Rewrite) {
    this.input = input
    this.plan = plan
    this.out = out
  }

  quantiseValue(name: string): void {
    if (!this.plan.tensors.has(name)) return
    const { out } = this
    const [scale, zeroPoint] = this.parameters(name)
    const quantised = out.name(`${name}_quantized`)
    const real = out.name(`${name}_dequantized`)
    out.push(
      node('QuantizeLinear', [name, scale, zeroPoint], [quantised]),
      node('DequantizeLinear', [quantised, scale, zeroPoint], [real]),
    )
    this.done.set(name, real)
  }

  reading(entry: NodeProto): NodeProto {
    const input = entry.input ?? []
    if (!input.some(name => this.plan.reads(entry, name))) return entry
    return {
      ...entry,
      input: input.map(name => (this.plan.reads(entry, name) ? this.done.get(name)! : name)),
    }
  }

  /**
   * A node that stays in float. ONNX Runtime (WeightBiasQuantization) turns the weights of every Conv and Gemm behind a
   * DequantizeLinear into int8 by itself, with one scale for the whole tensor: worse than what was avoided. A Clip without
   * effect in between keeps it off.
   */
  untouched(entry: NodeProto): NodeProto {
    const read = this.reading(entry)
    const [x = '', ...rest] = read.input ?? []
    const shielded = this.input.target === 'cpu' && isOp(entry, 'Conv', 'ConvTranspose', 'Gemm')
    if (!shielded || x === entry.input?.[0]) return read
    return { ...read, input: [this.shield(x), ...rest] }
  }

  private shield(name: string): string {
    const known = this.shields.get(name)
    if (known !== undefined) return known
    const { out } = this
    const lowest = out.floats('lowest_float', [], Float32Array.of(-3.4028234663852886e38))
    const result = out.name(`${name}_shield`)
    out.push(node('Clip', [name, lowest], [result]))
    this.shields.set(name, result)
    return result
  }

  async layer(layer: Layer): Promise<void> {
    const { weights, target } = this.input
    const entry = this.reading(layer.node)
    const [x = '', , bias = ''] = entry.input ?? []
    const plainGemm = floatAttribute(entry, 'alpha', 1) === 1 && floatAttribute(entry, 'beta', 1) === 1
    const values = bias !== '' && target === 'cpu' && plainGemm ? this.biasValues(layer, bias) : undefined
    const inputScale = activationScale(this.rangeOf(layer.node.input?.[0] ?? ''), target).scale
    // |bias| / (xs * ws) must fit into 31 bits; a channel of tiny weights under a large bias takes a wider scale.
    const weight = values
      ? await weights.widened(
          layer,
          values.map(value => Math.abs(value) / (inputScale * 2 ** 30)),
        )
      : await weights.quantised(layer)
    const read = [x, this.weight(weight)]
    if (bias !== '')
      read.push(
        values
          ? this.bias(
              layer,
              values,
              weight.scale.map(scale => scale * inputScale),
            )
          : bias,
      )
    this.out.push({ ...entry, input: read })
  }

  private weight(weight: QuantisedWeight): string {
    const { out } = this
    const channels = weight.scale.length
    const scale = out.floats(`${weight.key}_scale`, [channels], weight.scale)
    const zero = out.store(`zero_int8_${channels}`, name =>
      int8Tensor(name, [channels], new Int8Array(channels)),
    )
    const real = out.name(`${weight.key}_dequantized`)
    out.push(node('DequantizeLinear', [out.int8(weight), scale, zero], [real], { axis: weight.axis }))
    return real
  }

  /** Bias as int32 on the scale of the products, which is what integer kernels add to. */
  private bias(layer: Layer, values: Float32Array, scales: Float32Array): string {
    const { out } = this
    const channels = values.length
    const rounded = Int32Array.from(values, (value, channel) => Math.round(value / scales[channel]!))
    const stored = out.store(`${layer.id}_bias_int32`, name => int32Tensor(name, [channels], rounded))
    const scale = out.floats(`${layer.id}_bias_scale`, [channels], scales)
    const zero = out.store(`zero_int32_${channels}`, name =>
      int32Tensor(name, [channels], new Int32Array(channels)),
    )
    const real = out.name(`${layer.id}_bias`)
    out.push(node('DequantizeLinear', [stored, scale, zero], [real], { axis: 0 }))
    return real
  }

  private biasValues(layer: Layer, name: string): Float32Array | undefined {
    const constant = this.input.index.constant(name)
    const channels = layer.weight.dims[layer.channelAxis]!
    if (!constant || constant.perm || constant.dims.length !== 1 || constant.dims[0] !== channels)
      return undefined
    if (constant.tensor.dataType !== DataType.FLOAT || constant.tensor.dataLocation === 1) return undefined
    return inlineFloats(constant.tensor)
  }

  private rangeOf(name: string): Range {
    const shared = this.plan.sharedWith.get(name)
    return shared === undefined ? (this.input.ranges.get(name) ?? { min: 0, max: 0 }) : this.rangeOf(shared)
  }

  private parameters(name: string): [scale: string, zeroPoint: string] {
    const { scale, zeroPoint } = activationScale(this.rangeOf(name), this.input.target)
    const { out } = this
    return [
      out.store(`${name}_scale`, tensor => floatTensor(tensor, [], Float32Array.of(scale))),
      out.store(`${name}_zero_point`, tensor =>
        this.input.target === 'cpu'
          ? uint8Tensor(tensor, [], Uint8Array.of(zeroPoint))
          : int8Tensor(tensor, [], Int8Array.of(zeroPoint)),
      ),
    ]
  }
}
