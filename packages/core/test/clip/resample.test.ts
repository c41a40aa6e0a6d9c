import type { RawFrame } from '@sightline/core/clip/image-decode.js'
import { resampleBicubic } from '@sightline/core/clip/resample.js'
import { describe, expect, test } from 'vitest'

/** The same filter without separation, fixed point or rounding in between. */
function reference(source: RawFrame, width: number, height: number): Float64Array {
  const across = taps(source.width, width)
  const down = taps(source.height, height)
  const out = new Float64Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (const [row, wy] of down[y]!) {
          for (const [column, wx] of across[x]!)
            sum += source.data[(row * source.width + column) * 3 + c]! * wy * wx
        }
        out[(y * width + x) * 3 + c] = Math.min(255, Math.max(0, sum))
      }
    }
  }
  return out
}

function taps(inSize: number, outSize: number): [number, number][][] {
  const scale = inSize / outSize
  const stretch = Math.max(1, scale)
  return Array.from({ length: outSize }, (_, i) => {
    const center = (i + 0.5) * scale
    const found: [number, number][] = []
    for (let x = 0; x < inSize; x++) {
      const weight = keys(Math.abs(x + 0.5 - center) / stretch)
      if (weight !== 0) found.push([x, weight])
    }
    const total = found.reduce((sum, [, weight]) => sum + weight, 0)
    return found.map(([x, weight]) => [x, weight / total])
  })
}

function keys(x: number): number {
  if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1
  if (x < 2) return -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2
  return 0
}

function noise(width: number, height: number): RawFrame {
  const data = new Uint8Array(width * height * 3)
  let state = 12345
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = state >>> 24
  }
  return { data, width, height }
}

const whole = (width: number, height: number) => ({
  width,
  height,
  left: 0,
  top: 0,
  columns: width,
  rows: height,
})

describe('bicubic resize', () => {
  test.each([
    [37, 23, 16, 16],
    [16, 16, 37, 23],
    [5, 40, 20, 10],
    [1, 1, 8, 8],
    [3, 2, 3, 2],
  ])('of %ix%i to %ix%i is the float filter within rounding', (width, height, outWidth, outHeight) => {
    const source = noise(width, height)
    const found = resampleBicubic(source, whole(outWidth, outHeight))
    const wanted = reference(source, outWidth, outHeight)
    let worst = 0
    for (let i = 0; i < wanted.length; i++) worst = Math.max(worst, Math.abs(found[i]! - wanted[i]!))
    // Two roundings to 8 bit; the first one and its clipping are amplified by the second pass' negative lobes.
    expect(worst).toBeLessThan(40)
    const mean = wanted.reduce((sum, value, i) => sum + Math.abs(value - found[i]!), 0) / wanted.length
    expect(mean).toBeLessThan(width === 16 ? 2 : 0.6)
  })

  test('leaves a picture of the wanted size as it is', () => {
    const source = noise(9, 7)
    expect(resampleBicubic(source, whole(9, 7))).toEqual(source.data)
  })

  test('of a flat colour is that colour', () => {
    const source = { data: new Uint8Array(31 * 17 * 3).fill(201), width: 31, height: 17 }
    expect(new Set(resampleBicubic(source, whole(8, 8)))).toEqual(new Set([201]))
  })

  test('computes of a window exactly what the whole has there', () => {
    const source = noise(50, 30)
    const all = resampleBicubic(source, whole(20, 12))
    const part = resampleBicubic(source, { width: 20, height: 12, left: 5, top: 3, columns: 8, rows: 6 })
    for (let row = 0; row < 6; row++) {
      const from = ((row + 3) * 20 + 5) * 3
      expect(part.subarray(row * 24, row * 24 + 24)).toEqual(all.subarray(from, from + 24))
    }
  })
})
