import { readFloats } from '../onnx/external-data.ts'
import { GraphIndex, NamePool, rebuild } from '../onnx/graph.ts'
import { floatAttribute, isOp } from '../onnx/nodes.ts'
import { DataType, type ModelProto, type NodeProto, type TensorProto } from '../onnx/proto.ts'
import { floatTensor } from '../onnx/tensor.ts'

/**
 * Multiplies batch normalisation into the convolution before it: between the two, an integer convolution would need a
 * range of its own and the normalisation would run in float. y = (W x + b - mean) * g / sqrt(var + eps) + beta.
 */
export async function foldBatchNorms(model: ModelProto, dir: string): Promise<ModelProto> {
  const index = new GraphIndex(model)
  const names = new NamePool(index)
  const added: TensorProto[] = []
  const replaced = new Map<NodeProto, NodeProto | undefined>()
  for (const norm of index.nodes.filter(node => isOp(node, 'BatchNormalization'))) {
    const conv = index.producer(norm.input?.[0] ?? '')
    if (!conv || !isOp(conv, 'Conv') || replaced.has(conv) || !onlyReader(conv, index)) continue
    if ((norm.output ?? []).filter(name => name !== '').length > 1) continue
    const [, weight, bias = ''] = conv.input ?? []
    const tensors = [weight ?? '', ...(norm.input ?? []).slice(1), ...(bias ? [bias] : [])].map(name =>
      plainFloats(index, name),
    )
    if (tensors.some(tensor => tensor === undefined)) continue
    const [w, gamma, beta, mean, variance, b] = await Promise.all(
      tensors.map(tensor => readFloats(tensor!, dir)),
    )
    const epsilon = floatAttribute(norm, 'epsilon', 1e-5)
    const factor = gamma!.map((value, channel) => value / Math.sqrt(variance![channel]! + epsilon))
    const shift = factor.map(
      (value, channel) => beta![channel]! + ((b?.[channel] ?? 0) - mean![channel]!) * value,
    )
    const inner = w!.length / factor.length
    const scaled = w!.map((value, at) => value * factor[Math.floor(at / inner)]!)
    const weightName = names.take(`${weight}_folded`)
    const biasName = names.take(`${norm.output?.[0]}_bias`)
    added.push(
      floatTensor(weightName, index.constant(weight ?? '')!.dims, scaled),
      floatTensor(biasName, [factor.length], shift),
    )
    replaced.set(conv, {
      ...conv,
      input: [conv.input?.[0] ?? '', weightName, biasName],
      output: norm.output ?? [],
    })
    replaced.set(norm, undefined)
  }
  if (replaced.size === 0) return model
  const nodes = index.nodes.flatMap(node => {
    if (!replaced.has(node)) return [node]
    const folded = replaced.get(node)
    return folded ? [folded] : []
  })
  return rebuild(model, nodes, added)
}

function onlyReader(conv: NodeProto, index: GraphIndex): boolean {
  const result = conv.output?.[0] ?? ''
  return index.consumers(result).length === 1 && !index.outputs.has(result) && !index.captured.has(result)
}

function plainFloats(index: GraphIndex, name: string): TensorProto | undefined {
  const constant = index.constant(name)
  return constant && !constant.perm && constant.tensor.dataType === DataType.FLOAT
    ? constant.tensor
    : undefined
}
