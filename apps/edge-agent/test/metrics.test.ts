import { Timings } from '@sightline/edge-agent/metrics.js'
import { expect, it } from 'vitest'

it('gives percentiles of the newest samples', () => {
  const timings = new Timings()
  expect(timings.percentile(50)).toBe(0)
  for (let i = 1; i <= 100; i++) timings.add(i)
  expect([timings.percentile(50), timings.percentile(95), timings.percentile(100)]).toEqual([50, 95, 100])
  for (let i = 0; i < 512; i++) timings.add(7)
  expect(timings.percentile(100)).toBe(7)
})
