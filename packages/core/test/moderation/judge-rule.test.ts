import { ruleScore } from '@sightline/core'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { describe, expect, it } from 'vitest'
import { compiledRule } from '../../../../test/support/compiled-rule.ts'

const RULE = compiledRule({ positives: [0, 1], negatives: [2] })
const CONTEXT = { neutral: [3, 4], logitScale: 20 }
const frame = (similarities: readonly number[]) => (row: number) => similarities[row]!

describe('judgeRule', () => {
  it('judges by the best positive against negatives and neutral prompts', () => {
    const verdict = judgeRule(RULE, CONTEXT, frame([0.2, 0.4, 0.1, 0.15, 0.05]))
    expect(verdict).toMatchObject({ similarity: 0.4, bestPositive: 1, bestNegative: 3, fired: true })
    expect(verdict.score).toBeCloseTo(ruleScore(0.4, [0.1, 0.15, 0.05], 20), 12)
    expect(verdict.margin).toBe(verdict.score - 0.7)
  })

  it('scores 0 below the gate, whatever the logit', () => {
    const verdict = judgeRule(RULE, CONTEXT, frame([0.09, 0, -1, -1, -1]))
    expect(verdict).toMatchObject({ score: 0, fired: false, margin: -0.7, similarity: 0.09 })
    expect(verdict.logit).toBeGreaterThan(10)
    expect(judgeRule(RULE, CONTEXT, frame([0.1, 0, -1, -1, -1])).fired).toBe(true)
  })

  it('takes the background off, then calibrates', () => {
    const similarities = frame([0.4, 0, 0.2, 0.1, 0.1])
    const { logit } = judgeRule(RULE, CONTEXT, similarities)
    const calibration = { method: 'platt' as const, a: 2, b: -0.5 }
    const verdict = judgeRule({ ...RULE, calibration }, CONTEXT, similarities, 1.5)
    expect(verdict.score).toBeCloseTo(1 / (1 + Math.exp(-(2 * (logit - 1.5) - 0.5))), 12)
    expect(verdict.logit).toBe(logit)
    expect(verdict.similarity).toBe(0.4)
  })

  it('knows no best negative where nothing competes', () => {
    const verdict = judgeRule({ ...RULE, negatives: [] }, { ...CONTEXT, neutral: [] }, frame([0.2, 0.3]))
    expect(verdict).toMatchObject({ score: 1, bestNegative: undefined })
  })
})
