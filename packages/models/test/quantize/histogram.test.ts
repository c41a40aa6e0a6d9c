import { Histogram } from '@sightline/models/quantize/histogram.js'
import { expect, test } from 'vitest'
import { noise } from '../support/graphs.ts'

function filled(...parts: Float32Array[]): Histogram {
  const histogram = new Histogram()
  for (const part of parts) histogram.add(part)
  return histogram
}

test('min-max is exact', () => {
  expect(filled(Float32Array.of(1, -2), Float32Array.of(5)).minMax()).toEqual({ min: -2, max: 5 })
  expect(new Histogram().minMax()).toEqual({ min: 0, max: 0 })
})

test('the order and the growing range do not change a percentile much', () => {
  const small = noise(20_000, 1, 1)
  const large = noise(20_000, 2, 40)
  const one = filled(small, large).percentile(99.9)
  const other = filled(large, small).percentile(99.9)
  const sorted = Float32Array.from([...small, ...large]).sort()
  const high = sorted[Math.round(0.9995 * sorted.length)]!
  // Bins are at worst twice as wide as the range would need: 2 / 2048 of the largest magnitude.
  const bin = (2 * Math.max(-sorted[0]!, sorted.at(-1)!)) / 2048
  for (const { max } of [one, other]) expect(Math.abs(max - high)).toBeLessThanOrEqual(2 * bin)
})

test('a percentile cuts an outlier that min-max keeps', () => {
  const histogram = filled(noise(100_000, 3), Float32Array.of(500))
  expect(histogram.minMax().max).toBe(500)
  expect(histogram.percentile(99.99).max).toBeLessThan(5)
  expect(histogram.percentile(100)).toEqual(histogram.minMax())
})

test('entropy clips long thin tails and leaves a flat distribution whole', () => {
  const tail = filled(noise(200_000, 4), Float32Array.of(60, -60))
  expect(tail.entropy(128).max).toBeLessThan(20)
  expect(tail.entropy(128).max).toBeGreaterThan(1)
  const flat = filled(Float32Array.from({ length: 100_000 }, (_, at) => at / 100_000))
  expect(flat.entropy(255).max).toBeGreaterThan(0.9)
  expect(flat.entropy(255).min).toBeGreaterThanOrEqual(0)
})

test('a tensor of zeros has an empty range', () => {
  const histogram = filled(new Float32Array(10))
  expect(histogram.minMax()).toEqual({ min: 0, max: 0 })
  expect(Math.abs(histogram.percentile(99.9).max)).toBe(0)
  expect(Math.abs(histogram.entropy(128).max)).toBe(0)
})

test('zeros before the first value are not lost', () => {
  const histogram = filled(new Float32Array(100), Float32Array.of(1))
  expect(histogram.percentile(90).max).toBeLessThan(0.01)
})
