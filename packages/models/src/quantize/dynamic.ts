import type { GraphIndex } from '../onnx/graph.ts'
import { floatAttribute, intAttribute, node } from '../onnx/nodes.ts'
import { DataType, type ModelProto, type NodeProto } from '../onnx/proto.ts'
import { int64Tensor } from '../onnx/tensor.ts'
import { quantisedGather } from './gather.ts'
import type { Layer } from './layers.ts'
import { Rewrite } from './rewrite.ts'
import type { WeightStore } from './weights.ts'

export interface DynamicInput {
  readonly model: ModelProto
  readonly index: GraphIndex
  /** Layers to quantise; the rest stays as it is. */
  readonly layers: readonly Layer[]
  readonly weights: WeightStore
}

interface Activation {
  readonly values: string
  readonly scale: string
  readonly zeroPoint: string
}

/**
 * Weights int8, activations quantised to uint8 as they come (DynamicQuantizeLinear), products summed in int32:
 * y = (xq - xz) * wq * (xs * ws). The chain MatMulInteger, Cast, Mul(Mul(xs, ws)) is the one that ONNX Runtime fuses
 * into one kernel.
 */
export async function quantiseDynamic({ model, index, layers, weights }: DynamicInput): Promise<ModelProto> {
  const byNode = new Map(layers.map(layer => [layer.node, layer]))
  const out = new Rewrite(index)
  const activations = new Map<string, Activation>()
  const activation = (name: string): Activation => {
    const known = activations.get(name)
    if (known) return known
    const made = {
      values: out.name(`${name}_quantized`),
      scale: out.name(`${name}_scale`),
      zeroPoint: out.name(`${name}_zero_point`),
    }
    out.push(node('DynamicQuantizeLinear', [name], [made.values, made.scale, made.zeroPoint]))
    activations.set(name, made)
    return made
  }
  for (const entry of index.nodes) {
    const layer = byNode.get(entry)
    if (!layer) out.push(entry)
    else if (layer.kind === 'gather') await quantisedGather(layer, weights, out)
    else if (layer.kind === 'conv') await convInteger(layer, activation(entry.input?.[0] ?? ''), weights, out)
    else await matMulInteger(layer, activation(entry.input?.[0] ?? ''), weights, out)
  }
  return out.finish(model)
}

async function matMulInteger(layer: Layer, x: Activation, weights: WeightStore, out: Rewrite): Promise<void> {
  const entry = layer.node
  const gemm = layer.kind === 'gemm'
  const weight = await weights.quantised(layer, gemm && intAttribute(entry, 'transB', 0) === 1)
  const alpha = gemm ? floatAttribute(entry, 'alpha', 1) : 1
  const scale = alpha === 1 ? weight.scale : weight.scale.map(value => value * alpha)
  const scaleName = out.floats(
    `${weight.key}_scale${alpha === 1 ? '' : `_${layer.id}`}`,
    [scale.length],
    scale,
  )
  const result = entry.output?.[0] ?? ''
  const bias = gemm ? entry.input?.[2] || undefined : undefined
  const product = bias ? out.name(`${result}_product`) : result
  const summed = out.name(`${result}_int32`)
  out.push(node('MatMulInteger', [x.values, out.int8(weight), x.zeroPoint], [summed]))
  rescale({ summed, activationScale: x.scale, weightScale: scaleName, result: product }, out)
  if (bias) addGemmBias(entry, product, bias, out)
}

interface Rescale {
  readonly summed: string
  readonly activationScale: string
  readonly weightScale: string
  readonly result: string
}

function rescale({ summed, activationScale, weightScale, result }: Rescale, out: Rewrite): void {
  const real = out.name(`${result}_float`)
  const scale = out.name(`${result}_rescale`)
  out.push(
    node('Cast', [summed], [real], { to: DataType.FLOAT }),
    node('Mul', [activationScale, weightScale], [scale]),
    node('Mul', [real, scale], [result]),
  )
}

function addGemmBias(entry: NodeProto, product: string, bias: string, out: Rewrite): void {
  const beta = floatAttribute(entry, 'beta', 1)
  let addend = bias
  if (beta !== 1) {
    addend = out.name(`${bias}_beta`)
    const factor = out.floats(`${bias}_beta_factor`, [], Float32Array.of(beta))
    out.push(node('Mul', [bias, factor], [addend]))
  }
  out.push(node('Add', [product, addend], [entry.output?.[0] ?? '']))
}

async function convInteger(layer: Layer, x: Activation, weights: WeightStore, out: Rewrite): Promise<void> {
  const entry = layer.node
  const weight = await weights.quantised(layer)
  const channels = weight.scale.length
  const spread = [1, channels, ...weight.dims.slice(2).map(() => 1)]
  const scaleName = out.floats(`${weight.key}_scale_nchw`, spread, weight.scale)
  const result = entry.output?.[0] ?? ''
  const bias = entry.input?.[2] || undefined
  const product = bias ? out.name(`${result}_product`) : result
  const summed = out.name(`${result}_int32`)
  const conv = node('ConvInteger', [x.values, out.int8(weight), x.zeroPoint], [summed])
  out.push({ ...conv, attribute: entry.attribute ?? [] })
  rescale({ summed, activationScale: x.scale, weightScale: scaleName, result: product }, out)
  if (!bias) return
  const shaped = out.name(`${bias}_nchw`)
  const shape = out.store(`shape_${spread.join('_')}`, name => int64Tensor(name, spread))
  out.push(node('Reshape', [bias, shape], [shaped]), node('Add', [product, shaped], [result]))
}
