import onnxProto from 'onnx-proto'

const { onnx } = onnxProto
const { FLOAT, FLOAT16, INT8, UINT8 } = onnx.TensorProto.DataType

/** Kinds of file in which the tiny model's image tower can be had. */
export type Tower = 'fp16' | 'dynamic' | 'qdq' | 'nan'

/** Mean colour times `weights` [3, dim], computed in another precision; `nan` divides nothing by nothing. */
export function tinyTower(kind: Tower, weights: Float32Array, dim: number): Uint8Array {
  const pool = [
    { opType: 'GlobalAveragePool', input: ['pixel_values'], output: ['pooled'] },
    { opType: 'Flatten', input: ['pooled'], output: ['means'] },
  ]
  return encode(dim, { ...towers[kind](weights, dim), pool })
}

interface Tail {
  readonly nodes: object[]
  readonly initializers: object[]
}

const towers: Readonly<Record<Tower, (weights: Float32Array, dim: number) => Tail>> = {
  fp16: (weights, dim) => ({
    initializers: [raw('w', FLOAT16, [3, dim], Uint16Array.from(weights, half))],
    nodes: [
      { opType: 'Cast', input: ['means'], output: ['means16'], attribute: [int('to', FLOAT16)] },
      { opType: 'MatMul', input: ['means16', 'w'], output: ['product'] },
      { opType: 'Cast', input: ['product'], output: ['image_embeds'], attribute: [int('to', FLOAT)] },
    ],
  }),
  dynamic: (weights, dim) => {
    const { scale, values } = int8Of(weights)
    return {
      initializers: [raw('w', INT8, [3, dim], values), raw('scale', FLOAT, [], Float32Array.of(scale))],
      nodes: [
        { opType: 'DynamicQuantizeLinear', input: ['means'], output: ['q', 'q_scale', 'q_zero'] },
        { opType: 'MatMulInteger', input: ['q', 'w', 'q_zero'], output: ['sum'] },
        { opType: 'Cast', input: ['sum'], output: ['float'], attribute: [int('to', FLOAT)] },
        { opType: 'Mul', input: ['float', 'q_scale'], output: ['scaled'] },
        { opType: 'Mul', input: ['scaled', 'scale'], output: ['image_embeds'] },
      ],
    }
  },
  qdq: (weights, dim) => {
    const { scale, values } = int8Of(weights)
    return {
      initializers: [
        raw('w', INT8, [3, dim], values),
        raw('scale', FLOAT, [], Float32Array.of(scale)),
        raw('w_zero', INT8, [], Int8Array.of(0)),
        raw('step', FLOAT, [], Float32Array.of(1 / 255)),
        raw('zero', UINT8, [], Uint8Array.of(0)),
      ],
      nodes: [
        { opType: 'QuantizeLinear', input: ['means', 'step', 'zero'], output: ['q'] },
        { opType: 'DequantizeLinear', input: ['q', 'step', 'zero'], output: ['x'] },
        { opType: 'DequantizeLinear', input: ['w', 'scale', 'w_zero'], output: ['wf'] },
        { opType: 'MatMul', input: ['x', 'wf'], output: ['image_embeds'] },
      ],
    }
  },
  nan: (weights, dim) => ({
    initializers: [raw('w', FLOAT, [3, dim], weights)],
    nodes: [
      { opType: 'MatMul', input: ['means', 'w'], output: ['product'] },
      { opType: 'Sub', input: ['product', 'product'], output: ['nothing'] },
      { opType: 'Div', input: ['nothing', 'nothing'], output: ['image_embeds'] },
    ],
  }),
}

function encode(dim: number, { pool, nodes, initializers }: Tail & { readonly pool: object[] }): Uint8Array {
  const value = (name: string, shape: readonly (string | number)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: { dim: shape.map(n => (typeof n === 'string' ? { dimParam: n } : { dimValue: n })) },
      },
    },
  })
  const message = onnx.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'tiny',
      node: [...pool, ...nodes],
      initializer: initializers,
      input: [value('pixel_values', ['batch', 3, 16, 16])],
      output: [value('image_embeds', ['batch', dim])],
    },
  })
  return onnx.ModelProto.encode(message).finish()
}

function int8Of(weights: Float32Array): { scale: number; values: Int8Array } {
  const scale = Math.max(...weights.map(Math.abs)) / 127
  return { scale, values: Int8Array.from(weights, value => Math.round(value / scale)) }
}

/** IEEE 754 binary16 of a value between 2^-14 and 65504, cut rather than rounded. */
function half(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer) as unknown as [number]
  const exponent = ((bits >> 23) & 0xff) - 112
  if (exponent < 1) return (bits >>> 16) & 0x8000
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >> 13) & 0x3ff)
}

function raw(name: string, dataType: number, dims: readonly number[], values: ArrayBufferView) {
  return {
    name,
    dims,
    dataType,
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }
}

function int(name: string, value: number) {
  return { name, type: onnx.AttributeProto.AttributeType.INT, i: value }
}
