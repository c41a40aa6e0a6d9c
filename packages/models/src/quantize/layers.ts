import { fault } from '@sightline/core/errors.js'
import type { Constant, GraphIndex } from '../onnx/graph.ts'
import { floatAttribute, intAttribute, isOp, labelOf } from '../onnx/nodes.ts'
import { DataType, type NodeProto } from '../onnx/proto.ts'
import { elementCount, typeName } from '../onnx/tensor.ts'

export type LayerKind = 'conv' | 'matmul' | 'gemm' | 'gather'

/** One node whose float32 weight can become int8. */
export interface Layer {
  /** Unique within the model; what reports and `--keep-float` name. */
  readonly id: string
  readonly kind: LayerKind
  readonly node: NodeProto
  readonly weight: Constant
  readonly weightName: string
  /** Axis of the weight, as the node sees it, that gets one scale per entry. */
  readonly channelAxis: number
  readonly elements: number
}

export interface SkippedLayer {
  readonly id: string
  readonly op: string
  readonly reason: string
}

export interface LayerSurvey {
  readonly layers: readonly Layer[]
  readonly skipped: readonly SkippedLayer[]
}

const QUANTISED_OPS = new Set([
  'QuantizeLinear',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
  'MatMulInteger',
  'ConvInteger',
  'QLinearConv',
  'QLinearMatMul',
  'QGemm',
  'QAttention',
  'QEmbedLayerNormalization',
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
  'MatMulIntegerToFloat',
  'MatMulNBits',
  'GatherBlockQuantized',
])

/** Below this a table is no embedding: shape arithmetic uses Gather as well. */
const MIN_TABLE_ELEMENTS = 4096
/** A weight above this is left in float: one typed array per tensor is held in memory. */
const MAX_ELEMENTS = 2 ** 29

/**
 * Finds every layer with a float32 weight.
 * @throws QUANTISE_ALREADY, QUANTISE_UNSUPPORTED (float16 model), QUANTISE_NOTHING
 */
export function surveyLayers(index: GraphIndex): LayerSurvey {
  const done = index.nodes.find(node => QUANTISED_OPS.has(node.opType ?? ''))
  if (done)
    throw fault(
      'QUANTISE_ALREADY',
      `the model is quantised already: it holds ${done.opType} "${labelOf(done)}"`,
    )
  const layers: Layer[] = []
  const skipped: SkippedLayer[] = []
  const ids = new Set<string>()
  for (const node of index.nodes) {
    const found = inspect(node, index)
    if (!found) continue
    let id = labelOf(node)
    if (ids.has(id)) id = `${id} (${node.output?.[0]})`
    ids.add(id)
    if ('reason' in found) skipped.push({ id, op: node.opType ?? '', reason: found.reason })
    else layers.push({ id, node, ...found, elements: elementCount(found.weight.dims) })
  }
  const tables = layers.filter(layer => layer.kind === 'gather' && staysInFloat(layer, layers, index))
  for (const { id, node } of tables) {
    skipped.push({ id, op: node.opType ?? '', reason: 'the table is needed in float elsewhere' })
  }
  const usable = layers.filter(layer => !tables.includes(layer))
  if (usable.length === 0) rejectEmpty(index, skipped)
  return { layers: usable, skipped }
}

type Finding =
  | Pick<Layer, 'kind' | 'weight' | 'weightName' | 'channelAxis'>
  | { readonly reason: string }
  | undefined

function inspect(node: NodeProto, index: GraphIndex): Finding {
  if (isOp(node, 'Conv')) return weighted(node, index, 1, 'conv', 0)
  if (isOp(node, 'MatMul')) {
    const right = index.constant(node.input?.[1] ?? '')
    if (!right)
      return index.constant(node.input?.[0] ?? '') ? { reason: 'the weight is on the left' } : undefined
    if (right.dims.length !== 2) return { reason: `the weight has rank ${right.dims.length}, not 2` }
    return weighted(node, index, 1, 'matmul', 1)
  }
  if (isOp(node, 'Gemm')) {
    if (intAttribute(node, 'transA', 0) === 1) return { reason: 'transA is set' }
    if (floatAttribute(node, 'alpha', 1) === 0) return { reason: 'alpha is 0' }
    return weighted(node, index, 1, 'gemm', intAttribute(node, 'transB', 0) === 1 ? 0 : 1)
  }
  if (isOp(node, 'Gather') && intAttribute(node, 'axis', 0) === 0) {
    const table = index.constant(node.input?.[0] ?? '')
    if (table?.dims.length !== 2 || elementCount(table.dims) < MIN_TABLE_ELEMENTS) return undefined
    return table.tensor.dataType === DataType.FLOAT ? weighted(node, index, 0, 'gather', 0) : undefined
  }
  return isOp(node, 'ConvTranspose') ? { reason: 'ConvTranspose has no int8 kernel' } : undefined
}

function weighted(
  node: NodeProto,
  index: GraphIndex,
  at: number,
  kind: LayerKind,
  channelAxis: number,
): Finding {
  const weightName = node.input?.[at] ?? ''
  const weight = index.constant(weightName)
  if (!weight) return { reason: 'the weight is computed at run time' }
  const type = weight.tensor.dataType ?? 0
  if (type !== DataType.FLOAT) return { reason: `the weight is ${typeName(type)}, not float32` }
  if (elementCount(weight.dims) === 0) return { reason: 'the weight is empty' }
  if (elementCount(weight.dims) > MAX_ELEMENTS) return { reason: 'the weight holds more than 2 GiB' }
  return { kind, weight, weightName, channelAxis }
}

/** An int8 copy of a table beside its float original would make the file larger. */
function staysInFloat(layer: Layer, layers: readonly Layer[], index: GraphIndex): boolean {
  const name = layer.weight.tensor.name ?? ''
  if (index.captured.has(name) || index.outputs.has(name)) return true
  const byNode = new Set(layers.filter(other => other.weight.tensor.name === name).map(other => other.node))
  const readers = (value: string): NodeProto[] =>
    index
      .consumers(value)
      .flatMap(node => (isOp(node, 'Identity', 'Transpose') ? readers(node.output?.[0] ?? '') : [node]))
  return readers(name).some(node => !byNode.has(node))
}

function rejectEmpty(index: GraphIndex, skipped: readonly SkippedLayer[]): never {
  const half = (index.graph.initializer ?? []).find(
    ({ dataType }) => dataType === DataType.FLOAT16 || dataType === DataType.BFLOAT16,
  )
  if (half && skipped.length > 0) {
    const type = typeName(half.dataType ?? 0)
    throw fault('QUANTISE_UNSUPPORTED', `the weights are ${type}; start from the float32 export`)
  }
  const why = skipped.length > 0 ? ` (${skipped[0]!.id}: ${skipped[0]!.reason})` : ''
  throw fault('QUANTISE_NOTHING', `no layer with float32 weights can be quantised${why}`)
}
