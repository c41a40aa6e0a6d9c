import { fault } from '@sightline/core/errors.js'
import type Long from 'long'
import protobuf from 'protobufjs/light.js'
import { ONNX_SCHEMA } from './schema.ts'

/** 64-bit integers arrive as Long and may be written as plain numbers. */
export type Int64 = number | Long

export interface StringEntry {
  key?: string
  value?: string
}

export interface TensorProto {
  dims?: Int64[]
  dataType?: number
  floatData?: number[]
  int32Data?: number[]
  int64Data?: Int64[]
  doubleData?: number[]
  uint64Data?: Int64[]
  stringData?: Uint8Array[]
  rawData?: Uint8Array
  name?: string
  externalData?: StringEntry[]
  dataLocation?: number
}

export interface AttributeProto {
  name?: string
  type?: number
  f?: number
  i?: Int64
  s?: Uint8Array
  t?: TensorProto
  g?: GraphProto
  floats?: number[]
  ints?: Int64[]
  strings?: Uint8Array[]
  tensors?: TensorProto[]
  graphs?: GraphProto[]
}

export interface NodeProto {
  input?: string[]
  output?: string[]
  name?: string
  opType?: string
  domain?: string
  attribute?: AttributeProto[]
}

export interface ValueInfoProto {
  name?: string
  /** An encoded TypeProto: see `tensorTypeOf` and `valueInfo`. */
  type?: Uint8Array
}

export interface GraphProto {
  name?: string
  node?: NodeProto[]
  initializer?: TensorProto[]
  input?: ValueInfoProto[]
  output?: ValueInfoProto[]
  valueInfo?: ValueInfoProto[]
}

export interface OpsetImport {
  domain?: string
  version?: Int64
}

export interface ModelProto {
  irVersion?: Int64
  opsetImport?: OpsetImport[]
  producerName?: string
  producerVersion?: string
  graph?: GraphProto
  metadataProps?: StringEntry[]
}

/** Element types of TensorProto.DataType that the quantiser names. */
export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  INT32: 6,
  INT64: 7,
  FLOAT16: 10,
  DOUBLE: 11,
  BFLOAT16: 16,
} as const

/** AttributeProto.AttributeType. */
export const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, GRAPH: 5, FLOATS: 6, INTS: 7 } as const

/** A symbolic or unknown dimension is a string ('' when unnamed). */
export interface TensorType {
  readonly elemType: number
  /** Undefined when even the rank is unknown. */
  readonly shape: readonly (number | string)[] | undefined
}

const root = protobuf.Root.fromJSON(ONNX_SCHEMA)
const modelType = root.lookupType('ModelProto')
const typeType = root.lookupType('TypeProto')

export function toNumber(value: Int64 | undefined): number {
  return value === undefined ? 0 : typeof value === 'number' ? value : value.toNumber()
}

/** @throws QUANTISE_NOT_ONNX when the bytes are not an ONNX model with a graph. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  let model: ModelProto
  try {
    model = modelType.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as ModelProto
  } catch (cause) {
    throw fault('QUANTISE_NOT_ONNX', 'the bytes are not an ONNX model', { cause })
  }
  // Protobuf accepts many foreign files as "only unknown fields": the graph tells.
  if (!model.graph || (model.graph.node?.length ?? 0) === 0 || toNumber(model.irVersion) === 0) {
    throw fault('QUANTISE_NOT_ONNX', 'the bytes hold no ONNX graph')
  }
  return model
}

export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(model as protobuf.Message).finish()
}

/** Undefined for sequences, maps and other values that are not tensors. */
export function tensorTypeOf(info: ValueInfoProto): TensorType | undefined {
  if (!info.type || info.type.length === 0) return undefined
  const decoded = typeType.decode(info.type) as unknown as {
    tensorType?: {
      elemType?: number
      shape?: { dim?: { dimValue?: Int64; dimParam?: string }[] } | null
    } | null
  }
  const { tensorType } = decoded
  if (!tensorType) return undefined
  const dims = tensorType.shape?.dim
  return {
    elemType: tensorType.elemType ?? 0,
    shape: dims?.map(dim => (Object.hasOwn(dim, 'dimValue') ? toNumber(dim.dimValue) : (dim.dimParam ?? ''))),
  }
}

/** Declares a tensor; without `shape` its rank stays unknown. */
export function valueInfo(
  name: string,
  elemType: number,
  shape?: readonly (number | string)[],
): ValueInfoProto {
  const dim = shape?.map(size => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  const type = { tensorType: { elemType, ...(dim ? { shape: { dim } } : {}) } }
  return { name, type: typeType.encode(type as unknown as protobuf.Message).finish() }
}

/** Version of an operator set; the default domain has two spellings. */
export function opsetOf(model: ModelProto, domain = ''): number {
  const match = model.opsetImport?.find(
    entry => (entry.domain === 'ai.onnx' ? '' : (entry.domain ?? '')) === domain,
  )
  return match ? toNumber(match.version) : 0
}
