import { fault } from '@sightline/core/errors.js'
import { DataType, type TensorProto, toNumber } from './proto.ts'

/** Bytes of one element; 0 for strings and types without a fixed width here. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  14: 8,
  15: 16,
  16: 2,
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
}

export function typeName(dataType: number): string {
  return TYPE_NAMES[dataType] ?? `type ${dataType}`
}

export function dimsOf(tensor: TensorProto): number[] {
  return (tensor.dims ?? []).map(toNumber)
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** Size of the tensor's elements on disk, 0 where the type has no fixed width. */
export function byteLengthOf(tensor: TensorProto): number {
  return elementCount(dimsOf(tensor)) * (ELEMENT_BYTES[tensor.dataType ?? 0] ?? 0)
}

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === 1
}

/** Copies when the bytes do not start on a 4-byte boundary: protobuf places raw data anywhere. Not slice(): a Buffer's is a view. */
export function float32View(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0)
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2)
  return new Float32Array(new Uint8Array(bytes).buffer, 0, bytes.byteLength >> 2)
}

/** Values of a float32 tensor that is stored inside the model, whichever field holds them. */
export function inlineFloats(tensor: TensorProto): Float32Array {
  if (tensor.dataType !== DataType.FLOAT || isExternal(tensor)) {
    throw fault('QUANTISE_UNSUPPORTED', `tensor ${tensor.name ?? ''} is not an inline float32 tensor`)
  }
  const count = elementCount(dimsOf(tensor))
  const values = tensor.rawData?.length
    ? float32View(tensor.rawData)
    : Float32Array.from(tensor.floatData ?? [])
  if (values.length !== count) {
    throw fault(
      'QUANTISE_NOT_ONNX',
      `tensor ${tensor.name ?? ''} holds ${values.length} values where its shape says ${count}`,
    )
  }
  return values
}

/** Integers of a small inline int32 or int64 tensor (axes, shapes, splits). */
export function inlineIntegers(tensor: TensorProto): number[] {
  const raw = tensor.rawData
  if (raw?.length) {
    const copy = new Uint8Array(raw).buffer
    return tensor.dataType === DataType.INT64
      ? Array.from(new BigInt64Array(copy), Number)
      : Array.from(new Int32Array(copy))
  }
  return (tensor.int64Data?.length ? tensor.int64Data : (tensor.int32Data ?? [])).map(toNumber)
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

export function floatTensor(name: string, dims: readonly number[], values: Float32Array): TensorProto {
  return { name, dims: [...dims], dataType: DataType.FLOAT, rawData: bytesOf(values) }
}

export function int8Tensor(name: string, dims: readonly number[], values: Int8Array): TensorProto {
  return { name, dims: [...dims], dataType: DataType.INT8, rawData: bytesOf(values) }
}

export function uint8Tensor(name: string, dims: readonly number[], values: Uint8Array): TensorProto {
  return { name, dims: [...dims], dataType: DataType.UINT8, rawData: bytesOf(values) }
}

export function int32Tensor(name: string, dims: readonly number[], values: Int32Array): TensorProto {
  return { name, dims: [...dims], dataType: DataType.INT32, rawData: bytesOf(values) }
}

export function int64Tensor(name: string, values: readonly number[]): TensorProto {
  const data = BigInt64Array.from(values, BigInt)
  return { name, dims: [values.length], dataType: DataType.INT64, rawData: bytesOf(data) }
}

/** Row-major transpose; `perm[i]` is the source axis of result axis i. */
export function transpose(
  values: Float32Array,
  dims: readonly number[],
  perm: readonly number[],
): { values: Float32Array; dims: number[] } {
  const sourceStride = dims.map((_, axis) => elementCount(dims.slice(axis + 1)))
  const outDims = perm.map(axis => dims[axis]!)
  const stride = perm.map(axis => sourceStride[axis]!)
  const out = new Float32Array(values.length)
  const index = new Array<number>(outDims.length).fill(0)
  let source = 0
  for (let target = 0; target < out.length; target++) {
    out[target] = values[source]!
    for (let axis = outDims.length - 1; axis >= 0; axis--) {
      source += stride[axis]!
      index[axis]!++
      if (index[axis]! < outDims[axis]!) break
      source -= stride[axis]! * outDims[axis]!
      index[axis] = 0
    }
  }
  return { values: out, dims: outDims }
}
