import { dot, l2Normalize } from '@sightline/core'
import {
  FEW_SHOT,
  fitHead,
  headLogit,
  type LabelledFrame,
  learnFromLabels,
} from '@sightline/core/moderation/few-shot.js'
import { crossEntropy, probability } from '@sightline/core/moderation/rule-logit.js'
import { describe, expect, it } from 'vitest'
import { seededRandom as seeded } from '../../../../test/support/vectors.ts'

const DIM = 32

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Frames whose truth lies partly in a direction that the rule's words know nothing of: `hidden` nats a unit of it. */
function frames(count: number, { seed, hidden }: { seed: number; hidden: number }): LabelledFrame[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const vector = l2Normalize(Float32Array.from({ length: DIM }, () => gaussian(random)))
    vector[0] = Math.sign(vector[0]!) * (0.5 + Math.abs(vector[0]!))
    l2Normalize(vector)
    const logit = 2 * gaussian(random)
    return { vector, logit, positive: random() < probability(logit + hidden * vector[0]!) }
  })
}

const loss = (labels: readonly LabelledFrame[], of: (frame: LabelledFrame) => number) =>
  labels.reduce((sum, frame) => sum + crossEntropy(of(frame), Number(frame.positive)), 0) / labels.length

describe('fitHead', () => {
  it('learns from twenty labels what the words do not say', () => {
    const unseen = frames(2000, { seed: 99, hidden: 8 })
    const plain = loss(unseen, ({ logit }) => logit)
    for (let seed = 0; seed < 10; seed++) {
      const head = fitHead(frames(20, { seed, hidden: 8 }))!
      expect(head, `seed ${seed}`).toBeDefined()
      expect(Math.sqrt(dot(head.vector, head.vector))).toBeCloseTo(1, 5)
      expect(loss(unseen, ({ vector, logit }) => logit + headLogit(head, vector))).toBeLessThan(plain)
    }
  })

  it('finds the maximum of the posterior', () => {
    const labels = frames(40, { seed: 3, hidden: 8 })
    const head = fitHead(labels)!
    const positives = labels.filter(({ positive }) => positive).length
    const target = (positive: boolean) =>
      positive ? (positives + 1) / (positives + 2) : 1 / (labels.length - positives + 2)
    const weights = head.vector.map(value => value * head.scale)
    const objective = (w: Float32Array, bias: number) =>
      labels.reduce(
        (sum, { vector, logit, positive }) =>
          sum + crossEntropy(logit + dot(w, vector) + bias, target(positive)),
        dot(w, w) / (2 * FEW_SHOT.weightVariance) + bias ** 2 / (2 * FEW_SHOT.biasVariance),
      )
    const best = objective(weights, head.bias)
    for (let i = 0; i < DIM; i++)
      for (const by of [-0.05, 0.05]) {
        const other = weights.slice()
        other[i]! += by
        expect(objective(other, head.bias)).toBeGreaterThan(best)
      }
    for (const by of [-0.05, 0.05]) expect(objective(weights, head.bias + by)).toBeGreaterThan(best)
  })

  it('is none where the words say it all: seldom taken, and then hardly felt', () => {
    const unseen = frames(2000, { seed: 99, hidden: 0 })
    const plain = loss(unseen, ({ logit }) => logit)
    const heads = Array.from({ length: 20 }, (_, seed) => fitHead(frames(50, { seed, hidden: 0 })))
    expect(heads.filter(head => head !== undefined).length).toBeLessThan(8)
    for (const head of heads)
      if (head !== undefined)
        expect(loss(unseen, ({ vector, logit }) => logit + headLogit(head, vector))).toBeLessThan(plain + 0.1)
  })

  const labelled = (positives: number, negatives: number) => {
    const all = frames(400, { seed: 1, hidden: 8 })
    const of = (positive: boolean) => all.filter(frame => frame.positive === positive)
    return [...of(true).slice(0, positives), ...of(false).slice(0, negatives)]
  }
  it.each([
    [0, 0],
    [3, 4],
    [1, 30],
    [30, 1],
  ])('asks for more than %i right and %i wrong', (positives, negatives) => {
    expect(fitHead(labelled(positives, negatives))).toBeUndefined()
  })

  it('takes the newest labels where there are too many, and bears labels that cannot be told apart', () => {
    const many = frames(FEW_SHOT.maxLabels + 150, { seed: 4, hidden: 8 })
    const turned = many.slice(0, 150).map(frame => ({ ...frame, positive: !frame.positive }))
    const head = fitHead([...turned, ...many.slice(150)])
    expect(head).toEqual(fitHead(many.slice(150)))
    const [one] = many
    const same = Array.from({ length: 20 }, (_, i) => ({ ...one!, logit: 50, positive: i % 2 === 0 }))
    const { scale, bias } = fitHead(same)!
    expect([scale, bias].every(Number.isFinite)).toBe(true)
    expect(bias).toBeLessThan(0)
  })
})

describe('learnFromLabels', () => {
  it('gives a head or a calibration, never both', () => {
    expect(Object.keys(learnFromLabels(frames(50, { seed: 1, hidden: 8 })))).toEqual(['head'])
    expect(learnFromLabels(frames(5, { seed: 1, hidden: 8 }))).toEqual({})
    const calibrated = Array.from({ length: 20 }, (_, seed) =>
      learnFromLabels(frames(60, { seed, hidden: 0 })),
    )
    expect(calibrated.some(({ calibration, head }) => calibration !== undefined && head === undefined)).toBe(
      true,
    )
  })
})
