import type { Calibration } from '@sightline/core'
import { applyCalibration, type Label } from '@sightline/core/moderation/calibration.js'
import {
  detection,
  expectedCalibrationError,
  prAuc,
  rocAuc,
  type Scored,
} from '@sightline/core/moderation/quality.js'
import { probability } from '@sightline/core/moderation/rule-logit.js'
import { type CameraStream, type Correction, correctedLogits, type Gates } from './streams.ts'

export interface Quality {
  readonly precision: number
  readonly recall: number
  readonly f1: number
  readonly prAuc: number
  readonly rocAuc: number
  readonly calibrationError: number
}

/** A score of a frame of a camera of one fold. */
export interface FoldScored extends Scored {
  readonly fold: 0 | 1
}

/** The mean of both folds: scores that were calibrated apart are never ranked together. */
export function qualityAt(scored: readonly FoldScored[], threshold: number): Quality {
  return meanQuality(
    [0, 1].map(fold => {
      const frames = scored.filter(frame => frame.fold === fold)
      return {
        ...detection(frames, threshold),
        prAuc: prAuc(frames),
        rocAuc: rocAuc(frames),
        calibrationError: expectedCalibrationError(frames),
      }
    }),
  )
}

export function meanQuality(all: readonly Quality[]): Quality {
  const mean = (key: keyof Quality) => all.reduce((sum, each) => sum + each[key], 0) / all.length
  return {
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
    prAuc: mean('prAuc'),
    rocAuc: mean('rocAuc'),
    calibrationError: mean('calibrationError'),
  }
}

/** (a) The cosine of the best positive, read as if it were a probability. */
export function cosineScores(cameras: readonly CameraStream[]): FoldScored[] {
  return cameras.flatMap(({ fold, frames }) =>
    frames.map(({ similarity, positive }) => ({ fold, score: Math.max(0, similarity), positive })),
  )
}

/** (b) The softmax, no correction. */
export function softmaxScores(cameras: readonly CameraStream[], { minSimilarity }: Gates): FoldScored[] {
  return cameras.flatMap(({ fold, frames }) =>
    frames.map(({ logit, similarity, positive }) => ({
      fold,
      score: similarity >= minSimilarity ? probability(logit) : 0,
      positive,
    })),
  )
}

/** A frame after (c), the background correction. */
export interface Corrected extends Label {
  readonly fold: 0 | 1
  readonly reached: boolean
}

export function corrected(
  cameras: readonly CameraStream[],
  gates: Gates,
  settings?: Correction,
): Corrected[] {
  return cameras.flatMap(({ fold, frames }) => {
    const logits = correctedLogits(frames, gates, settings)
    return frames.map(({ similarity, positive }, i) => ({
      fold,
      logit: logits[i]!,
      positive,
      reached: similarity >= gates.minSimilarity,
    }))
  })
}

/** (c) */
export function correctedScores(frames: readonly Corrected[]): FoldScored[] {
  return frames.map(({ fold, logit, positive, reached }) => ({
    fold,
    score: reached ? probability(logit) : 0,
    positive,
  }))
}

/** Score from which a frame may come before a reviewer. */
const REVIEW_FROM = 0.05

export interface Review {
  readonly calibrate: (labels: readonly Label[]) => Calibration | undefined
  readonly labels: number
  /** From here on it is an incident. */
  readonly off: number
  readonly random: () => number
}

/**
 * (d) A calibration from what a reviewer sees, half of it incidents (scored at `off` or above) and half an audit of what
 * scored less, on the cameras of one fold; the scores are those of the other fold. Frames are drawn by their score alone,
 * which leaves P(positive | logit) what it is. Where no calibration fits the labels there is none.
 */
export function calibratedScores(
  frames: readonly Corrected[],
  { calibrate, labels, off, random }: Review,
): { readonly scored: FoldScored[]; readonly fits: number } {
  const scored: FoldScored[] = []
  let fits = 0
  for (const fold of [0, 1]) {
    const seen = frames.filter(frame => frame.fold === fold && frame.reached)
    const incidents = seen.filter(({ logit }) => probability(logit) >= off)
    const audit = seen.filter(({ logit }) => probability(logit) < off && probability(logit) >= REVIEW_FROM)
    const reviewed = [...sample(incidents, labels / 2, random), ...sample(audit, labels / 2, random)]
    const calibration = calibrate(reviewed)
    fits += Number(calibration !== undefined)
    for (const frame of frames) {
      if (frame.fold === fold) continue
      const score = frame.reached ? applyCalibration(calibration, frame.logit) : 0
      scored.push({ fold: frame.fold, score, positive: frame.positive })
    }
  }
  return { scored, fits }
}

function sample<T>(from: readonly T[], count: number, random: () => number): T[] {
  return from
    .map(item => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ item }) => item)
}
