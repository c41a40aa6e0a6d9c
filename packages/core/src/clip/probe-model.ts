/**
 * A graph for finding out whether a provider computes: y = Relu(x · W), x [1, 16], W [16, 16]. It is put together here
 * field by field (onnx.proto, protobuf wire format), so that probing needs no file and no ONNX library.
 */
const SIDE = 16
const FLOAT = 1

export const PROBE_OUTPUT = 'y'
export const PROBE_INPUT = {
  name: 'x',
  dims: [1, SIDE] as const,
  data: Float32Array.from({ length: SIDE }, (_, i) => Math.sin(i + 1)),
}

/** The bytes of the model. */
export function probeModel(): Uint8Array {
  const weights = tensor('w', [SIDE, SIDE], weightValues())
  const graph = [
    message(1, node('MatMul', ['x', 'w'], 'h')),
    message(1, node('Relu', ['h'], PROBE_OUTPUT)),
    text(2, 'probe'),
    message(5, weights),
    message(11, valueInfo(PROBE_INPUT.name, PROBE_INPUT.dims)),
    message(12, valueInfo(PROBE_OUTPUT, [1, SIDE])),
  ]
  // ir_version 8, graph, opset_import { version: 13 }
  return Buffer.concat([varint(1, 8), message(7, graph), message(8, [varint(2, 13)])])
}

/** What the graph must give for `PROBE_INPUT`. */
export function probeExpected(): Float32Array {
  const weights = weightValues()
  return Float32Array.from({ length: SIDE }, (_, column) => {
    const sum = PROBE_INPUT.data.reduce((total, x, row) => total + x * weights[row * SIDE + column]!, 0)
    return Math.max(0, sum)
  })
}

function weightValues(): Float32Array {
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.cos(i * 0.7))
}

function node(opType: string, inputs: readonly string[], output: string): Uint8Array[] {
  return [...inputs.map(name => text(1, name)), text(2, output), text(3, opType), text(4, opType)]
}

function tensor(name: string, dims: readonly number[], values: Float32Array): Uint8Array[] {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return [...dims.map(size => varint(1, size)), varint(2, FLOAT), text(8, name), bytes(9, raw)]
}

function valueInfo(name: string, dims: readonly number[]): Uint8Array[] {
  const shape = dims.map(size => message(1, [varint(1, size)]))
  return [text(1, name), message(2, [message(1, [varint(1, FLOAT), message(2, shape)])])]
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return bytes(field, Buffer.concat(parts))
}

function text(field: number, value: string): Uint8Array {
  return bytes(field, Buffer.from(value))
}

/** Wire type 2: length-delimited. */
function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint((field << 3) | 2), encodeVarint(value.length), value])
}

/** Wire type 0. */
function varint(field: number, value: number): Uint8Array {
  return Buffer.concat([encodeVarint(field << 3), encodeVarint(value)])
}

function encodeVarint(value: number): Uint8Array {
  const out: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...out, rest])
    out.push((rest & 0x7f) | 0x80)
  }
}
