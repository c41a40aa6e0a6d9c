import { node } from '../onnx/nodes.ts'
import { DataType } from '../onnx/proto.ts'
import type { Layer } from './layers.ts'
import type { Rewrite } from './rewrite.ts'
import type { WeightStore } from './weights.ts'

/**
 * An embedding table with one scale per row. Rows are looked up first and turned to float after, so the table stays
 * int8 in memory too (DequantizeLinear before Gather would unpack all of it on every run). Works at any opset.
 */
export async function quantisedGather(layer: Layer, weights: WeightStore, out: Rewrite): Promise<void> {
  const weight = await weights.quantised(layer)
  const ids = layer.node.input?.[1] ?? ''
  const result = layer.node.output?.[0] ?? ''
  const scales = out.floats(`${weight.key}_row_scale`, [weight.scale.length, 1], weight.scale)
  const rows = out.name(`${result}_int8`)
  const real = out.name(`${result}_float`)
  const rowScale = out.name(`${result}_scale`)
  out.push(
    node('Gather', [out.int8(weight), ids], [rows], { axis: 0 }),
    node('Cast', [rows], [real], { to: DataType.FLOAT }),
    node('Gather', [scales, ids], [rowScale], { axis: 0 }),
    node('Mul', [real, rowScale], [result]),
  )
}
