import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { onnx } from 'onnx-proto'
import onnxProto from 'onnx-proto'

const { AttributeProto, ModelProto, TensorProto } = onnxProto.onnx
const { FLOAT, INT64 } = TensorProto.DataType

export type Dim = number | string
export type AttributeValue = number | number[]

/** Collects nodes and weights of one graph; `nodes` and `weights` may start from an existing model. */
export class OnnxGraph {
  readonly nodes: onnx.INodeProto[] = []
  readonly weights: onnx.ITensorProto[] = []

  static read(path: string): OnnxGraph {
    const graph = new OnnxGraph()
    const source = ModelProto.decode(readFileSync(path)).graph
    graph.nodes.push(...(source?.node ?? []))
    graph.weights.push(...(source?.initializer ?? []))
    return graph
  }

  float(name: string, dims: number[], values: Float32Array): string {
    this.weights.push({ name, dims, dataType: FLOAT, rawData: bytesOf(values) })
    return name
  }

  int64(name: string, values: number[]): string {
    const data = BigInt64Array.from(values.map(BigInt))
    this.weights.push({ name, dims: [values.length], dataType: INT64, rawData: bytesOf(data) })
    return name
  }

  /** Appends a node named after its output. Integer attributes only: nothing here needs more. */
  node(
    opType: string,
    input: string[],
    output: string,
    attributes: Record<string, AttributeValue> = {},
  ): string {
    const attribute = Object.entries(attributes).map(([name, value]) => integerAttribute(name, value))
    this.nodes.push({ opType, input, output: [output], name: `${opType}_${output}`, attribute })
    return output
  }

  /** GELU in its exact form, spelled with Erf because opset 17 has no Gelu. */
  gelu(input: string, prefix: string): string {
    const half = this.float(`${prefix}_half`, [], Float32Array.of(0.5))
    const one = this.float(`${prefix}_one`, [], Float32Array.of(1))
    const rsqrt2 = this.float(`${prefix}_rsqrt2`, [], Float32Array.of(Math.SQRT1_2))
    const erf = this.node('Erf', [this.node('Mul', [input, rsqrt2], `${prefix}_scaled`)], `${prefix}_erf`)
    const gate = this.node('Add', [erf, one], `${prefix}_gate`)
    return this.node('Mul', [this.node('Mul', [input, gate], `${prefix}_gated`), half], `${prefix}_gelu`)
  }

  /** Rows of [batch, dim] to unit length. */
  unit(input: string, output: string): string {
    const norm = this.node('ReduceL2', [input], `${output}_norm`, { axes: [1], keepdims: 1 })
    return this.node('Div', [input, norm], output)
  }

  /** Writes the model whole or not at all: others may be loading the file. */
  write(path: string, name: string, inputs: onnx.IValueInfoProto[], outputs: onnx.IValueInfoProto[]): void {
    const bytes = ModelProto.encode({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      producerName: 'sightline',
      graph: { name, node: this.nodes, initializer: this.weights, input: inputs, output: outputs },
    }).finish()
    writeFileSync(`${path}.part`, bytes)
    renameSync(`${path}.part`, path)
  }
}

export function floatValue(name: string, dims: Dim[]): onnx.IValueInfoProto {
  return valueInfo(name, FLOAT, dims)
}

export function int64Value(name: string, dims: Dim[]): onnx.IValueInfoProto {
  return valueInfo(name, INT64, dims)
}

function valueInfo(name: string, elemType: number, dims: Dim[]): onnx.IValueInfoProto {
  const dim = dims.map(size => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

function integerAttribute(name: string, value: AttributeValue): onnx.IAttributeProto {
  const { INT, INTS } = AttributeProto.AttributeType
  return Array.isArray(value) ? { name, type: INTS, ints: value } : { name, type: INT, i: value }
}

function bytesOf(values: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
