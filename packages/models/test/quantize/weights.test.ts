import { quantiseChannels } from '@sightline/models/quantize/weights.js'
import { expect, test } from 'vitest'
import { noise, random } from '../support/graphs.ts'
import { codeOf } from '../support/run.ts'

test('every weight comes back within half a step, whatever shape and axis', () => {
  const next = random(99)
  for (let round = 0; round < 60; round++) {
    const dims = Array.from({ length: 1 + Math.floor(next() * 4) }, () => 1 + Math.floor(next() * 7))
    const axis = Math.floor(next() * dims.length)
    const source = noise(
      dims.reduce((a, b) => a * b, 1),
      round,
      10 ** (next() * 8 - 4),
    )
    const magnitude = round % 2 === 0 ? 127 : 63
    const { values, scale } = quantiseChannels(source, dims, axis, magnitude)
    expect(scale).toHaveLength(dims[axis]!)
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1)
    for (let at = 0; at < source.length; at++) {
      const step = scale[Math.floor(at / inner) % dims[axis]!]!
      expect(Math.abs(values[at]! * step - source[at]!)).toBeLessThanOrEqual(step * 0.5001)
      expect(Math.abs(values[at]!)).toBeLessThanOrEqual(magnitude)
    }
  }
})

test('one large channel does not coarsen the others', () => {
  const { scale } = quantiseChannels(Float32Array.of(0.01, 100, 0.02, -50), [2, 2], 1, 127)
  expect(scale[0]).toBeCloseTo(0.02 / 127, 8)
  expect(scale[1]).toBeCloseTo(100 / 127, 4)
})

test('all-zero channels get a usable scale', () => {
  const { values, scale } = quantiseChannels(Float32Array.of(0, 0, 1, 2), [2, 2], 0, 127)
  expect([...values]).toEqual([0, 0, 64, 127])
  expect(scale[0]).toBe(scale[1])
  expect(quantiseChannels(new Float32Array(4), [2, 2], 0, 127).scale.every(value => value > 0)).toBe(true)
})

test('denormal weights do not divide by zero', () => {
  const { values, scale } = quantiseChannels(Float32Array.of(1e-44, -1e-44), [1, 2], 0, 127)
  expect(scale[0]).toBeGreaterThan(0)
  expect([...values].every(Number.isFinite)).toBe(true)
})

test.each([Number.NaN, Infinity, -Infinity])('a weight of %d is refused', async bad => {
  expect(await codeOf(() => quantiseChannels(Float32Array.of(1, bad), [2], 0, 127))).toBe(
    'QUANTISE_UNSUPPORTED',
  )
})
