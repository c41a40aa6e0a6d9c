import { fault } from '@sightline/core/errors.js'
import { readFloats } from '../onnx/external-data.ts'
import { dimsOf, elementCount, transpose } from '../onnx/tensor.ts'
import type { Layer } from './layers.ts'

/** int8 weights with one scale per channel, in the layout that the node reads (`dims`). */
export interface QuantisedWeight {
  /** Unique for (tensor, layout, axis): layers that share a weight share its int8 form. */
  readonly key: string
  readonly values: Int8Array
  readonly dims: readonly number[]
  /** Axis of `dims` that `scale` runs along. */
  readonly axis: number
  readonly scale: Float32Array
}

/** Largest magnitude: 127, or 63 with one bit held back for CPUs whose u8 x s8 products saturate in 16 bits. */
export const maxMagnitude = (reduceRange: boolean): number => (reduceRange ? 63 : 127)

/**
 * Symmetric quantisation with one scale per entry of `axis`: q = round(w / scale), scale = max |w| / magnitude.
 * An all-zero channel takes the largest scale of the others, so that nothing is ever divided by zero.
 * @throws QUANTISE_UNSUPPORTED when a weight is NaN or infinite
 */
export function quantiseChannels(
  source: Float32Array,
  dims: readonly number[],
  axis: number,
  magnitude: number,
): { values: Int8Array; scale: Float32Array } {
  const channels = dims[axis]!
  const inner = elementCount(dims.slice(axis + 1))
  const peak = new Float32Array(channels)
  // Plain nested loops: with the channel as the last axis a callback per run would be one per weight.
  for (let at = 0; at < source.length; ) {
    for (let channel = 0; channel < channels; channel++) {
      let max = peak[channel]!
      for (const end = at + inner; at < end; at++) {
        const size = Math.abs(source[at]!)
        if (!(size <= 3.4028235e38)) throw fault('QUANTISE_UNSUPPORTED', 'the weight holds NaN or infinity')
        if (size > max) max = size
      }
      peak[channel] = max
    }
  }
  const fallback = peak.reduce((max, value) => Math.max(max, value), 0) / magnitude || 1 / magnitude
  const scale = peak.map(max => (max > 0 ? Math.max(max / magnitude, 1e-30) : fallback))
  return { values: roundToScale(source, dims, axis, scale, magnitude), scale }
}

/** Rounds to the given scales; used again when a scale had to be widened for its bias. */
export function roundToScale(
  source: Float32Array,
  dims: readonly number[],
  axis: number,
  scale: Float32Array,
  magnitude: number,
): Int8Array {
  const channels = dims[axis]!
  const inner = elementCount(dims.slice(axis + 1))
  const inverse = scale.map(value => 1 / value)
  const values = new Int8Array(source.length)
  for (let at = 0; at < source.length; ) {
    for (let channel = 0; channel < channels; channel++) {
      const factor = inverse[channel]!
      for (const end = at + inner; at < end; at++) {
        const rounded = Math.round(source[at]! * factor)
        values[at] = rounded > magnitude ? magnitude : Math.max(rounded, -magnitude)
      }
    }
  }
  return values
}

/** Reads and quantises weights once, however many variants of the model are built from them. */
export class WeightStore {
  private readonly done = new Map<string, QuantisedWeight>()
  private readonly dir: string
  private readonly magnitude: number

  constructor({ dir, reduceRange }: { readonly dir: string; readonly reduceRange: boolean }) {
    this.dir = dir
    this.magnitude = maxMagnitude(reduceRange)
  }

  /** `turned`: swap the two axes of a matrix (Gemm with transB becomes a plain MatMul). */
  async quantised(layer: Layer, turned = false): Promise<QuantisedWeight> {
    const perm = turned ? [1, 0].map(axis => layer.weight.perm?.[axis] ?? axis) : layer.weight.perm
    const axis = turned ? 1 - layer.channelAxis : layer.channelAxis
    const name = layer.weight.tensor.name ?? ''
    const key = `${name}${perm ? `_t${perm.join('')}` : ''}_a${axis}`
    const known = this.done.get(key)
    if (known) return known
    const source = await this.floats(layer, perm)
    const { values, scale } = quantiseChannels(source.values, source.dims, axis, this.magnitude)
    const result = { key, values, dims: source.dims, axis, scale }
    this.done.set(key, result)
    return result
  }

  /** The same weight on scales of at least `floor`, for layers whose int32 bias would overflow otherwise. */
  async widened(layer: Layer, floor: Float32Array): Promise<QuantisedWeight> {
    const base = await this.quantised(layer)
    if (base.scale.every((value, channel) => value >= floor[channel]!)) return base
    const scale = base.scale.map((value, channel) => Math.max(value, floor[channel]!))
    const source = await this.floats(layer, layer.weight.perm)
    const values = roundToScale(source.values, source.dims, base.axis, scale, this.magnitude)
    return { ...base, key: `${base.key}_${layer.id}`, values, scale }
  }

  private async floats(layer: Layer, perm: readonly number[] | undefined) {
    const values = await readFloats(layer.weight.tensor, this.dir)
    const dims = dimsOf(layer.weight.tensor)
    return perm ? transpose(values, dims, perm) : { values, dims }
  }
}
