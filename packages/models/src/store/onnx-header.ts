import { closeSync, fstatSync, openSync } from 'node:fs'
import { fault, isFault } from '@sightline/core/errors.js'
import { DataType, tensorTypeOf, type ValueInfoProto } from '../onnx/proto.ts'
import { type ProtoField, ProtoFile } from './proto-file.ts'

export interface OnnxValue {
  readonly name: string
  readonly elemType: number
  /** Symbolic dimensions are strings; undefined when even the rank is unknown. */
  readonly shape: readonly (number | string)[] | undefined
}

/** What can be known of an ONNX file without its weights. */
export interface OnnxHeader {
  /** Without weights that old files list among the inputs. */
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** Files beside this one that hold weights, as the file names them: relative, not yet checked. */
  readonly externalFiles: readonly string[]
  /** Told from the operators and the weights. */
  readonly precision: 'fp32' | 'fp16' | 'int8'
  /** Activations are quantised as they come, over the whole batch: what shares a batch shares a scale. */
  readonly dynamic: boolean
}

// Field numbers of onnx.proto3.
const MODEL_GRAPH = 7
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const
const NODE = { opType: 4, attribute: 5 } as const
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11 } as const
const TENSOR = { dataType: 2, name: 8, externalData: 13 } as const
const ENTRY = { key: 1, value: 2 } as const
const VALUE = { name: 1, type: 2 } as const

const INT8_OPS = new Set([
  'DynamicQuantizeLinear',
  'MatMulInteger',
  'ConvInteger',
  'QuantizeLinear',
  'QLinearMatMul',
  'QLinearConv',
])

/** If and Loop nest a level or two. */
const MAX_DEPTH = 16

interface Seen {
  readonly inputs: ValueInfoProto[]
  readonly outputs: ValueInfoProto[]
  readonly weights: Set<string>
  readonly external: Set<string>
  int8: boolean
  fp16: boolean
  dynamic: boolean
}

/** @throws MODEL_INVALID when the file holds no ONNX graph, MODEL_MISSING when it cannot be read */
export function readOnnxHeader(path: string): OnnxHeader {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (cause) {
    throw fault('MODEL_MISSING', `cannot read ${path}`, { cause })
  }
  try {
    return headerOf(new ProtoFile(fd), fstatSync(fd).size)
  } catch (cause) {
    if (isFault(cause, 'MODEL_INVALID'))
      throw fault('MODEL_INVALID', `${path} is not an ONNX model`, { cause })
    throw cause
  } finally {
    closeSync(fd)
  }
}

function headerOf(file: ProtoFile, size: number): OnnxHeader {
  const seen: Seen = {
    inputs: [],
    outputs: [],
    weights: new Set(),
    external: new Set(),
    int8: false,
    fp16: false,
    dynamic: false,
  }
  for (const field of file.fields(0, size)) if (field.number === MODEL_GRAPH) visitGraph(file, field, seen)
  const inputs = seen.inputs.filter(({ name }) => !seen.weights.has(name ?? ''))
  if (inputs.length === 0 || seen.outputs.length === 0)
    throw fault('MODEL_INVALID', 'no graph with inputs and outputs')
  return {
    inputs: inputs.map(toValue),
    outputs: seen.outputs.map(toValue),
    externalFiles: [...seen.external],
    precision: seen.int8 ? 'int8' : seen.fp16 ? 'fp16' : 'fp32',
    dynamic: seen.dynamic,
  }
}

function visitGraph(file: ProtoFile, graph: ProtoField, seen: Seen, depth = 0): void {
  if (depth > MAX_DEPTH) throw fault('MODEL_INVALID', `graphs nested deeper than ${MAX_DEPTH}`)
  for (const field of file.fields(graph.start, graph.end)) {
    if (field.number === GRAPH.node) visitNode(file, field, seen, depth)
    else if (field.number === GRAPH.initializer) visitTensor(file, field, seen)
    else if (field.number === GRAPH.input && depth === 0) seen.inputs.push(valueInfoOf(file, field))
    else if (field.number === GRAPH.output && depth === 0) seen.outputs.push(valueInfoOf(file, field))
  }
}

function visitNode(file: ProtoFile, node: ProtoField, seen: Seen, depth: number): void {
  for (const field of file.fields(node.start, node.end)) {
    if (field.number === NODE.opType) {
      const op = file.text(field)
      if (INT8_OPS.has(op)) seen.int8 = true
      if (op === 'DynamicQuantizeLinear') seen.dynamic = true
    } else if (field.number === NODE.attribute) {
      for (const part of file.fields(field.start, field.end)) {
        if (part.number === ATTRIBUTE.tensor || part.number === ATTRIBUTE.tensors)
          visitTensor(file, part, seen)
        else if (part.number === ATTRIBUTE.graph || part.number === ATTRIBUTE.graphs)
          visitGraph(file, part, seen, depth + 1)
      }
    }
  }
}

function visitTensor(file: ProtoFile, tensor: ProtoField, seen: Seen): void {
  for (const field of file.fields(tensor.start, tensor.end)) {
    if (field.number === TENSOR.name) seen.weights.add(file.text(field))
    else if (field.number === TENSOR.dataType && field.value === DataType.FLOAT16) seen.fp16 = true
    else if (field.number === TENSOR.externalData) {
      let key = ''
      let value = ''
      for (const part of file.fields(field.start, field.end)) {
        if (part.number === ENTRY.key) key = file.text(part)
        else if (part.number === ENTRY.value) value = file.text(part)
      }
      if (key === 'location') seen.external.add(value)
    }
  }
}

function valueInfoOf(file: ProtoFile, info: ProtoField): ValueInfoProto {
  const value: ValueInfoProto = {}
  for (const field of file.fields(info.start, info.end)) {
    if (field.number === VALUE.name) value.name = file.text(field)
    else if (field.number === VALUE.type) value.type = file.bytes(field)
  }
  return value
}

function toValue(info: ValueInfoProto): OnnxValue {
  try {
    const type = tensorTypeOf(info)
    return { name: info.name ?? '', elemType: type?.elemType ?? 0, shape: type?.shape }
  } catch (cause) {
    throw fault('MODEL_INVALID', `the type of ${info.name} cannot be read`, { cause })
  }
}
