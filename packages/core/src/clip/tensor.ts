export interface NormalizeSpec {
  readonly size: number
  /** Per channel, of values scaled to 0..1. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

/**
 * Scales to 0..1, subtracts the mean, divides by the deviation, and separates the channels.
 * @param target where the planes go, `[3, size, size]` float32; allocated when not given
 */
export function toTensor(
  pixels: Uint8Array,
  spec: NormalizeSpec,
  target = new Float32Array(3 * spec.size * spec.size),
): Float32Array {
  const { size, mean, std } = spec
  // 256 possible values a channel: a table is exact and costs less than the arithmetic.
  const table = new Float32Array(3 * 256)
  for (let i = 0; i < table.length; i++) {
    const channel = i >> 8
    table[i] = ((i & 255) / 255 - mean[channel]!) / std[channel]!
  }
  const plane = size * size
  const green = plane
  const blue = 2 * plane
  for (let i = 0, from = 0; i < plane; i++, from += 3) {
    target[i] = table[pixels[from]!]!
    target[green + i] = table[256 + pixels[from + 1]!]!
    target[blue + i] = table[512 + pixels[from + 2]!]!
  }
  return target
}
