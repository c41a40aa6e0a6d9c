import { ruleScore } from '@sightline/core'
import { clamp, logitOf, probability, ruleLogit } from '@sightline/core/moderation/rule-logit.js'
import { describe, expect, it } from 'vitest'

describe('ruleLogit', () => {
  it.each([
    [0.3, [0.1, 0.2], 15.9],
    [0.1, [0.3, 0.25, 0.2], 100],
    [-0.2, [0.4], 50],
  ])('is the log-odds of ruleScore(%d, %j, %d)', (positive, competitors, scale) => {
    const logit = ruleLogit(positive, competitors, scale)
    expect(probability(logit)).toBeCloseTo(ruleScore(positive, competitors, scale), 12)
    // z = L p - ln sum exp(L c)
    const sum = competitors.reduce((total, competitor) => total + Math.exp(scale * competitor), 0)
    expect(logit).toBeCloseTo(scale * positive - Math.log(sum), 9)
  })

  it('stays finite when nothing competes, and when the odds overflow', () => {
    expect(ruleLogit(0.2, [], 100)).toBe(50)
    expect(ruleLogit(-1, [1], 1000)).toBe(-50)
    expect(probability(50)).toBe(1)
    expect(probability(-50)).toBeGreaterThan(0)
  })

  it.each([0, 1e-9, 0.05, 0.5, 0.7, 1])('logitOf undoes probability at %d', score => {
    expect(probability(logitOf(score))).toBeCloseTo(score, 9)
  })

  it('lets NaN through clamp, so that it is seen', () => {
    expect([clamp(3, 0, 2), clamp(-3, 0, 2), clamp(1, 0, 2)]).toEqual([2, 0, 1])
    expect(clamp(Number.NaN, 0, 2)).toBeNaN()
  })
})
