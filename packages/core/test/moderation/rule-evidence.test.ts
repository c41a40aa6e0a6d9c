import {
  type EvidenceRule,
  EXAMPLE_SHARPNESS,
  EXAMPLE_WEIGHT,
  neutralEvidence,
  reachesGate,
  ruleEvidence,
} from '@sightline/core/moderation/rule-evidence.js'
import { ruleLogit } from '@sightline/core/moderation/rule-logit.js'
import { describe, expect, it } from 'vitest'
import { seededRandom as seeded } from '../../../../test/support/vectors.ts'

const RULE: EvidenceRule = {
  positives: [0, 1],
  negatives: [2, 3],
  positiveExamples: [],
  negativeExamples: [],
  minSimilarity: 0.1,
  minExampleSimilarity: 0.8,
}
const CONTEXT = { neutral: [4, 5], logitScale: 20 }
const of = (similarities: readonly number[]) => (row: number) => similarities[row]!
const PROMPTS = [0.2, 0.3, 0.25, 0.1, 0.15, 0.05]
const affinity = (similarity: number) => Math.exp(-EXAMPLE_SHARPNESS * (1 - similarity))

describe('ruleEvidence', () => {
  it('is the softmax of the prompts where there is nothing else', () => {
    const { logit, similarity, bestPositive, bestNegative } = ruleEvidence(RULE, CONTEXT, of(PROMPTS))
    expect(logit).toBeCloseTo(ruleLogit(0.3, PROMPTS.slice(2), 20), 12)
    expect({ similarity, bestPositive, bestNegative }).toEqual({
      similarity: 0.3,
      bestPositive: 1,
      bestNegative: 2,
    })
  })

  it('names the neutral prompt where that is the nearest competitor', () => {
    const similarities = [0.2, 0.3, 0.1, 0.1, 0.15, 0.4]
    expect(ruleEvidence(RULE, CONTEXT, of(similarities)).bestNegative).toBe(5)
    expect(ruleEvidence({ ...RULE, negatives: [] }, CONTEXT, of(similarities)).bestNegative).toBe(5)
    expect(ruleEvidence(RULE, { ...CONTEXT, neutral: [] }, of(similarities)).bestNegative).toBe(2)
  })

  it.each([
    [[6, 7], [], affinity(0.7)],
    [[], [6, 7], -affinity(0.7)],
    [[6], [7], affinity(0.5) - affinity(0.7)],
  ])(
    'weighs the nearest of the examples %j against the nearest of %j',
    (positiveExamples, negativeExamples, by) => {
      const rule = { ...RULE, positiveExamples, negativeExamples }
      const similarities = of([...PROMPTS, 0.5, 0.7])
      const plain = ruleEvidence(RULE, CONTEXT, similarities).logit
      expect(ruleEvidence(rule, CONTEXT, similarities).logit).toBeCloseTo(plain + EXAMPLE_WEIGHT * by, 12)
    },
  )

  it("adds the head's word", () => {
    const rule = { ...RULE, head: { row: 6, scale: 4, bias: -1.5 } }
    const plain = ruleEvidence(RULE, CONTEXT, of(PROMPTS)).logit
    expect(ruleEvidence(rule, CONTEXT, of([...PROMPTS, 0.5])).logit).toBeCloseTo(plain + 4 * 0.5 - 1.5, 12)
  })

  it.each([
    [0.1, 0, true],
    [0.0999, 0.8, true],
    [0.0999, 0.7999, false],
    [-1, 1, true],
  ])('is reached or not: prompt %d, example %d, %s', (prompt, example, reached) => {
    const rule = { ...RULE, positives: [0], positiveExamples: [6] }
    const similarities = of([prompt, 0, 0, 0, 0, 0, example])
    expect(ruleEvidence(rule, CONTEXT, similarities).reached).toBe(reached)
    expect(reachesGate(rule, similarities)).toBe(reached)
  })

  it('says the same with the neutral prompts looked at beforehand, for temperatures of any size', () => {
    const random = seeded(5)
    for (let i = 0; i < 200; i++) {
      const similarities = of(Array.from({ length: 6 }, () => 2 * random() - 1))
      const context = { neutral: [4, 5].slice(0, i % 3), logitScale: 10 ** (4 * random()) }
      const alone = ruleEvidence(RULE, context, similarities)
      expect(ruleEvidence(RULE, context, similarities, neutralEvidence(context, similarities))).toEqual(alone)
      expect(Number.isFinite(alone.logit)).toBe(true)
      const competitors = [2, 3, ...context.neutral].map(similarities)
      const plain = ruleLogit(Math.max(similarities(0), similarities(1)), competitors, context.logitScale)
      expect(alone.logit).toBeCloseTo(plain, 9)
    }
  })
})
