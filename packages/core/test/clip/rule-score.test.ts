import { ruleScore } from '@sightline/core/clip/rule-score.js'
import { expect, test } from 'vitest'

test('is the softmax of the best positive against its competitors', () => {
  const [p, a, b] = [0.3, 0.25, 0.1].map(similarity => Math.exp(16 * similarity)) as [number, number, number]
  expect(ruleScore(0.3, [0.25, 0.1], 16)).toBeCloseTo(p / (p + a + b), 12)
  expect(ruleScore(0.2, [0.2], 100)).toBe(0.5)
  expect(ruleScore(0.2, [], 100)).toBe(1)
})

test('neither extreme similarities nor extreme scales leave the unit interval', () => {
  expect(ruleScore(-1, [1], 10_000)).toBe(0)
  expect(ruleScore(1, [-1], 10_000)).toBe(1)
})
