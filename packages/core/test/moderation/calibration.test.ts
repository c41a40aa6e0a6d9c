import { Calibration } from '@sightline/core'
import {
  applyCalibration,
  fitCalibration,
  fitIsotonic,
  fitPlatt,
  type Label,
} from '@sightline/core/moderation/calibration.js'
import { probability } from '@sightline/core/moderation/rule-logit.js'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { seededRandom as seeded } from '../../../../test/support/vectors.ts'

/** Labels whose truth is P(positive | z) = 1 / (1 + exp(-(a z + b))). */
function drawn(count: number, a: number, b: number, seed = 1): Label[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const logit = random() * 12 - 6
    return { logit, positive: random() < probability(a * logit + b) }
  })
}

describe('fitPlatt', () => {
  it('finds the curve that the labels were drawn from', () => {
    const { a, b } = fitPlatt(drawn(20_000, 0.7, -1.5))!
    expect(a).toBeCloseTo(0.7, 1)
    expect(b).toBeCloseTo(-1.5, 1)
  })

  it('meets the conditions of a greatest likelihood under the regularised targets', () => {
    const labels = drawn(60, 1, -1, 5)
    const positives = labels.filter(({ positive }) => positive).length
    const { a, b } = fitPlatt(labels)!
    let [slope, offset] = [0, 0]
    for (const { logit, positive } of labels) {
      const target = positive ? (positives + 1) / (positives + 2) : 1 / (labels.length - positives + 2)
      slope += logit * (probability(a * logit + b) - target)
      offset += probability(a * logit + b) - target
    }
    expect(slope).toBeCloseTo(0, 4)
    expect(offset).toBeCloseTo(0, 4)
  })

  it('keeps the slope finite when the labels are separable', () => {
    const labels = [-3, -2, -1, 1, 2, 3].map(logit => ({ logit, positive: logit > 0 }))
    const platt = fitPlatt(labels)!
    expect(platt.a).toBeLessThan(10)
    expect(applyCalibration(platt, 3)).toBeLessThan(0.95)
    expect(applyCalibration(platt, 0)).toBeCloseTo(0.5, 6)
  })

  it('survives logits of any size', () => {
    const labels = [-50, -50, -40, 30, 50, 50].map(logit => ({ logit, positive: logit > 0 }))
    expect(Value.Check(Calibration, fitPlatt(labels))).toBe(true)
  })

  it('fits nothing to labels of one kind, and nothing that turns the ranking round', () => {
    expect(fitPlatt([])).toBeUndefined()
    expect(fitPlatt([{ logit: 1, positive: true }])).toBeUndefined()
    expect(fitPlatt(drawn(500, -1, 0))).toBeUndefined()
  })
})

describe('fitIsotonic', () => {
  it('pools adjacent violators as the min-max formula says', () => {
    const random = seeded(3)
    const labels = Array.from({ length: 60 }, (_, i) => ({ logit: i, positive: random() < i / 60 }))
    const share = (from: number, to: number) =>
      labels.slice(from, to + 1).filter(({ positive }) => positive).length / (to + 1 - from)
    // Robertson, Wright, Dykstra 1988: max over j <= i of min over k >= i of the mean of j..k.
    const exact = labels.map((_, i) =>
      Math.max(
        ...Array.from({ length: i + 1 }, (_, j) =>
          Math.min(...Array.from({ length: 60 - i }, (_, k) => share(j, i + k))),
        ),
      ),
    )
    const blocks = grouped(labels, exact)
    const expected = [...blocks.values()].map(block => {
      const hits = block.filter(({ positive }) => positive).length
      return [
        block.reduce((sum, { logit }) => sum + logit, 0) / block.length,
        (hits + 1) / (block.length + 2),
      ]
    })
    const { points } = fitIsotonic(labels)!
    expect(points.map(([z]) => z)).toEqual(expected.map(([z]) => z))
    for (const [i, [, p]] of points.entries()) {
      expect(p).toBe(Math.max(...expected.slice(0, i + 1).map(([, each]) => each!)))
    }
  })

  it('never falls, stays between 0 and 1 and is flat outside', () => {
    for (let seed = 0; seed < 50; seed++) {
      const calibration = fitIsotonic(drawn(10 + seed * 5, 1, 0, seed))
      if (calibration === undefined) continue
      expect(Value.Check(Calibration, calibration)).toBe(true)
      let last = 0
      for (let z = -8; z <= 8; z += 0.25) {
        const p = applyCalibration(calibration, z)
        expect(p).toBeGreaterThanOrEqual(last)
        expect(p).toBeLessThan(1)
        last = p
      }
      expect(applyCalibration(calibration, 50)).toBe(applyCalibration(calibration, 8))
    }
  })

  it('takes labels of one logit together and bounds its points', () => {
    const same = Array.from({ length: 10 }, (_, i) => ({ logit: 1, positive: i < 5 }))
    expect(fitIsotonic(same)!.points).toEqual([[1, 0.5]])
    expect(fitIsotonic(drawn(50_000, 0.3, 0))!.points.length).toBeLessThanOrEqual(256)
    expect(fitIsotonic([{ logit: 1, positive: false }])).toBeUndefined()
  })
})

function grouped(labels: readonly Label[], exact: readonly number[]): Map<string, Label[]> {
  const groups = new Map<string, Label[]>()
  for (const [i, label] of labels.entries()) {
    const key = exact[i]!.toFixed(9)
    groups.set(key, [...(groups.get(key) ?? []), label])
  }
  return groups
}

describe('fitCalibration', () => {
  it('wants twenty labels, five of each kind', () => {
    const some = (count: number, positives: number) =>
      Array.from({ length: count }, (_, i) => ({ logit: i, positive: i >= count - positives }))
    expect(fitCalibration(some(19, 9))).toBeUndefined()
    expect(fitCalibration(some(40, 4))).toBeUndefined()
    expect(fitCalibration(some(40, 36))).toBeUndefined()
    expect(fitCalibration(some(20, 5))?.method).toBe('platt')
  })
})

describe('applyCalibration', () => {
  it('without one takes the logit at its word', () => {
    expect(applyCalibration(undefined, 0.4)).toBe(probability(0.4))
    expect(applyCalibration({ method: 'platt', a: 1, b: 0 }, 0.4)).toBe(probability(0.4))
  })

  it('goes straight from point to point', () => {
    const calibration = {
      method: 'isotonic' as const,
      points: [
        [-2, 0.1],
        [0, 0.3],
        [1, 0.9],
      ] as [number, number][],
    }
    expect([-9, -2, -1, 0, 0.5, 1, 9].map(z => applyCalibration(calibration, z))).toEqual([
      0.1,
      0.1,
      expect.closeTo(0.2, 12),
      0.3,
      expect.closeTo(0.6, 12),
      0.9,
      0.9,
    ])
  })

  it.each([
    { method: 'platt', a: -1, b: 0 },
    { method: 'platt', a: 0, b: 0 },
    { method: 'isotonic', points: [] },
    {
      method: 'isotonic',
      points: [
        [0, 0.5],
        [0, 0.6],
      ],
    },
    {
      method: 'isotonic',
      points: [
        [0, 0.5],
        [1, 0.4],
      ],
    },
    { method: 'isotonic', points: [[0, 1.5]] },
  ])('a bundle with %j is refused', calibration => {
    expect(Value.Check(Calibration, calibration)).toBe(false)
  })
})
