import {
  bestF1,
  brierScore,
  detection,
  expectedCalibrationError,
  prAuc,
  rocAuc,
} from '@sightline/core/moderation/quality.js'
import { describe, expect, it } from 'vitest'
import { seededRandom as seeded } from '../../../../test/support/vectors.ts'

const scored = (...pairs: [number, 0 | 1][]) =>
  pairs.map(([score, positive]) => ({ score, positive: positive === 1 }))
const SAMPLE = scored([0.9, 1], [0.8, 0], [0.7, 1], [0.6, 1], [0.3, 0], [0.2, 0], [0.1, 1])

describe('quality', () => {
  it('counts detections at a threshold', () => {
    expect(detection(SAMPLE, 0.6)).toEqual({ precision: 0.75, recall: 0.75, f1: 0.75 })
    expect(detection(SAMPLE, 0.95)).toEqual({ precision: 1, recall: 0, f1: 0 })
    expect(detection([], 0.5)).toEqual({ precision: 1, recall: 1, f1: 1 })
  })

  it('gives the average precision', () => {
    // At each positive: 1/1, 2/3, 3/4, 4/7.
    expect(prAuc(SAMPLE)).toBeCloseTo((1 + 2 / 3 + 3 / 4 + 4 / 7) / 4, 12)
    expect(prAuc(scored([1, 1], [0, 0]))).toBe(1)
    expect(prAuc(scored([0.5, 1], [0.5, 0], [0.5, 0]))).toBeCloseTo(1 / 3, 12)
    expect(prAuc(scored([1, 0]))).toBeNaN()
  })

  it('gives the chance that a positive ranks above a negative', () => {
    const random = seeded(1)
    const many = Array.from({ length: 300 }, () => {
      const positive = random() < 0.3
      return { score: Math.round(10 * (random() + Number(positive))) / 10, positive }
    })
    let [wins, pairs] = [0, 0]
    for (const high of many.filter(({ positive }) => positive)) {
      for (const low of many.filter(({ positive }) => !positive)) {
        wins += high.score > low.score ? 1 : high.score === low.score ? 0.5 : 0
        pairs++
      }
    }
    expect(rocAuc(many)).toBeCloseTo(wins / pairs, 12)
    expect(rocAuc(scored([1, 1]))).toBeNaN()
  })

  it('measures how far scores are from shares', () => {
    expect(expectedCalibrationError(scored([0.25, 1], [0.25, 0], [0.25, 0], [0.25, 0]))).toBe(0)
    expect(expectedCalibrationError(scored([1, 0], [1, 1]))).toBe(0.5)
    expect(expectedCalibrationError(scored([0.05, 1], [0.95, 1]))).toBeCloseTo(0.5, 12)
    expect(brierScore(scored([0.5, 1], [1, 0]))).toBe(0.625)
  })

  it('finds the threshold of the best F1', () => {
    const { threshold, f1 } = bestF1(SAMPLE)
    expect(threshold).toBe(0.6)
    expect(f1).toBe(detection(SAMPLE, 0.6).f1)
    expect(bestF1([])).toEqual({ threshold: Number.NEGATIVE_INFINITY, f1: 0 })
  })
})
