import { fault } from '@sightline/core/errors.js'
import { type GraphIndex, NamePool } from './graph.ts'
import { intAttribute, intsAttribute, isOp, labelOf, withoutAttributes } from './nodes.ts'
import { type ModelProto, type NodeProto, opsetOf, type TensorProto, tensorTypeOf } from './proto.ts'
import { int64Tensor } from './tensor.ts'

/** First opset in which QuantizeLinear and DequantizeLinear take one scale per channel. */
export const PER_CHANNEL_OPSET = 13
/** First opset with DynamicQuantizeLinear. */
export const DYNAMIC_OPSET = 11

const AXES_BECAME_INPUT: Readonly<Record<string, string>> = {
  Squeeze: 'axes',
  Unsqueeze: 'axes',
  ReduceSum: 'axes',
  Split: 'split',
}

/**
 * Raises opset 11 or 12 to 13. Between them only five operators changed meaning: Squeeze, Unsqueeze, ReduceSum and Split
 * take an attribute as an input, and Softmax and its kin stopped flattening (ONNX Changelog, opset 13).
 * @throws QUANTISE_OPSET for older models and for a Softmax whose flattening cannot be expressed
 */
export function raiseOpset(model: ModelProto, index: GraphIndex): ModelProto {
  const version = opsetOf(model)
  if (version >= PER_CHANNEL_OPSET) return model
  if (version < DYNAMIC_OPSET) {
    throw fault('QUANTISE_OPSET', `the model uses opset ${version}; static quantisation per channel needs 13`)
  }
  const names = new NamePool(index)
  const added: TensorProto[] = []
  const nodes = index.nodes.map(entry => {
    const attribute = AXES_BECAME_INPUT[entry.opType ?? '']
    if (attribute && isOp(entry, entry.opType ?? '')) {
      const values = intsAttribute(entry, attribute)
      if (!values) return entry
      const name = names.take(`${labelOf(entry)}_${attribute}`)
      added.push(int64Tensor(name, values))
      return { ...withoutAttributes(entry, [attribute]), input: [entry.input?.[0] ?? '', name] }
    }
    return isOp(entry, 'Softmax', 'LogSoftmax', 'Hardmax') ? unflattened(entry, index) : entry
  })
  const graph = model.graph ?? {}
  return {
    ...model,
    opsetImport: (model.opsetImport ?? []).map(entry =>
      entry.domain === undefined || entry.domain === '' || entry.domain === 'ai.onnx'
        ? { ...entry, version: PER_CHANNEL_OPSET }
        : entry,
    ),
    graph: { ...graph, node: nodes, initializer: [...(graph.initializer ?? []), ...added] },
  }
}

/** Flattening from the last axis on is the same as working on that axis alone. */
function unflattened(entry: NodeProto, index: GraphIndex): NodeProto {
  const axis = intAttribute(entry, 'axis', 1)
  const known = [
    ...(index.graph.valueInfo ?? []),
    ...(index.graph.output ?? []),
    ...(index.graph.input ?? []),
  ]
  const rank = known
    .filter(info => info.name === entry.output?.[0] || info.name === entry.input?.[0])
    .map(info => tensorTypeOf(info)?.shape?.length)
    .find(length => length !== undefined)
  if (axis !== -1 && axis + 1 !== rank) {
    throw fault(
      'QUANTISE_OPSET',
      `${labelOf(entry)}: ${entry.opType} over axis ${axis} flattens before opset 13; export the model at opset 13 or later`,
    )
  }
  const rest = withoutAttributes(entry, ['axis'])
  return { ...rest, attribute: [...(rest.attribute ?? []), { name: 'axis', type: 2, i: -1 }] }
}
