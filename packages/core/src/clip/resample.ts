import type { RawFrame } from './image-decode.ts'

/** The part of the resized image that is wanted; anything else is not computed. */
export interface ResampleWindow {
  /** Size of the whole resized image. */
  readonly width: number
  readonly height: number
  /** Corner of the wanted part within it. */
  readonly left: number
  readonly top: number
  /** Size of the wanted part. */
  readonly columns: number
  readonly rows: number
}

/** Fraction bits of the weights: 32 less 8 of the pixel and 2 for the overshoot of a cubic, as Pillow has it. */
const WEIGHT_BITS = 22
const HALF = 1 << (WEIGHT_BITS - 1)
const CUBIC_A = -0.5

/**
 * Bicubic resize of RGB bytes, bit for bit as Pillow's `Image.resize(size, BICUBIC)`, which CLIP was trained with: the
 * kernel (Keys 1981, a = -0.5) is stretched when shrinking, rows are filtered before columns, and each pass rounds
 * fixed-point sums to 8 bit.
 * @returns `window.rows` x `window.columns` x 3 bytes
 */
export function resampleBicubic(source: RawFrame, window: ResampleWindow): Uint8Array {
  const across = weights(source.width, window.width, window.left, window.columns)
  const down = weights(source.height, window.height, window.top, window.rows)
  const firstRow = down.starts[0]!
  const lastRow = down.starts[window.rows - 1]! + down.counts[window.rows - 1]!
  const narrowed = filterRows(source, across, firstRow, lastRow)
  return filterColumns(narrowed, down, firstRow, window.columns * 3)
}

/** One output position's taps: `counts[i]` weights from `values[i * stride]`, for inputs from `starts[i]`. */
interface Weights {
  readonly starts: Int32Array
  readonly counts: Int32Array
  readonly values: Int32Array
  readonly stride: number
}

function weights(inSize: number, outSize: number, first: number, count: number): Weights {
  const scale = inSize / outSize
  const stretch = Math.max(scale, 1)
  const support = 2 * stretch
  const stride = Math.ceil(support) * 2 + 1
  const starts = new Int32Array(count)
  const counts = new Int32Array(count)
  const values = new Int32Array(count * stride)
  const taps = new Float64Array(stride)
  for (let i = 0; i < count; i++) {
    const center = (first + i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(inSize, Math.trunc(center + support + 0.5))
    let sum = 0
    for (let x = start; x < end; x++) {
      const weight = cubic((x - center + 0.5) * (1 / stretch))
      taps[x - start] = weight
      sum += weight
    }
    for (let t = 0; t < end - start; t++) {
      const weight = (sum === 0 ? taps[t]! : taps[t]! / sum) * (1 << WEIGHT_BITS)
      values[i * stride + t] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5)
    }
    starts[i] = start
    counts[i] = end - start
  }
  return { starts, counts, values, stride }
}

function cubic(distance: number): number {
  const x = Math.abs(distance)
  if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC_A
  return 0
}

function filterRows(source: RawFrame, across: Weights, firstRow: number, lastRow: number): Uint8Array {
  const { starts, counts, values, stride } = across
  const columns = starts.length
  const { data } = source
  const rowBytes = source.width * 3
  const out = new Uint8ClampedArray((lastRow - firstRow) * columns * 3)
  let to = 0
  for (let row = firstRow; row < lastRow; row++) {
    const rowStart = row * rowBytes
    for (let column = 0; column < columns; column++) {
      let from = rowStart + starts[column]! * 3
      let tap = column * stride
      const lastTap = tap + counts[column]!
      let red = HALF
      let green = HALF
      let blue = HALF
      for (; tap < lastTap; tap++, from += 3) {
        const weight = values[tap]!
        red = (red + Math.imul(data[from]!, weight)) | 0
        green = (green + Math.imul(data[from + 1]!, weight)) | 0
        blue = (blue + Math.imul(data[from + 2]!, weight)) | 0
      }
      out[to] = red >> WEIGHT_BITS
      out[to + 1] = green >> WEIGHT_BITS
      out[to + 2] = blue >> WEIGHT_BITS
      to += 3
    }
  }
  return new Uint8Array(out.buffer)
}

/** Sums whole rows at a time, so that memory is read in order. */
function filterColumns(rows: Uint8Array, down: Weights, firstRow: number, rowBytes: number): Uint8Array {
  const { starts, counts, values, stride } = down
  const out = new Uint8ClampedArray(starts.length * rowBytes)
  const sums = new Int32Array(rowBytes)
  for (let row = 0; row < starts.length; row++) {
    sums.fill(HALF)
    for (let t = 0; t < counts[row]!; t++) {
      const weight = values[row * stride + t]!
      const from = (starts[row]! + t - firstRow) * rowBytes
      for (let i = 0; i < rowBytes; i++) sums[i] = sums[i]! + Math.imul(rows[from + i]!, weight)
    }
    const to = row * rowBytes
    for (let i = 0; i < rowBytes; i++) out[to + i] = sums[i]! >> WEIGHT_BITS
  }
  return new Uint8Array(out.buffer)
}
