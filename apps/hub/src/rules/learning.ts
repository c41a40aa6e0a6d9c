import { type Calibration, type CompiledRule, dotRow, type RuleBundle } from '@sightline/core'
import {
  applyCalibration,
  fitCalibration,
  fitIsotonic,
  fitPlatt,
  type Label,
} from '@sightline/core/moderation/calibration.js'
import { brierScore, expectedCalibrationError, type Scored } from '@sightline/core/moderation/quality.js'
import { ruleEvidence } from '@sightline/core/moderation/rule-evidence.js'
import { clamp, MAX_LOGIT, probability } from '@sightline/core/moderation/rule-logit.js'

/** Reviewed frames below which nothing is learnt, and how many of them must be of each kind. */
export const MIN_LESSON = 10
export const MIN_LESSON_PER_CLASS = 3
/** The newest ones; a rule has changed since, and so has the world. */
export const MAX_LESSON = 2000
/** Parts of the cross-validation (Kohavi 1995). */
const FOLDS = 5

/** A reviewed frame, as the rule sees it without anything learnt. */
export interface Sample {
  /** L2-normalised. */
  readonly vector: Float32Array
  /** `ruleEvidence`, in nats. */
  readonly logit: number
  readonly positive: boolean
}

/** Adds `scale` times the cosine with `vector`, plus `bias`, to a rule's log-odds. `vector` is L2-normalised. */
export interface Head {
  readonly vector: Float32Array
  readonly scale: number
  readonly bias: number
}

/** Few-shot head of a rule; undefined when the samples give none. The same samples must give the same head. */
export type FitHead = (samples: readonly Sample[]) => Head | undefined

/** What a rule learnt. */
export interface Lesson {
  readonly head: Head | undefined
  readonly calibration: Calibration | undefined
  readonly report: LessonReport
}

export interface LessonReport {
  /** Reviewed frames of this model whose gate the rule reaches. */
  readonly labels: number
  readonly positives: number
  readonly calibration: Calibration['method'] | null
  readonly head: boolean
  /** Expected calibration error on these frames, without anything learnt and, by cross-validation, with it. */
  readonly eceBefore: number | null
  readonly eceAfter: number | null
}

/** The reviewed frames that the rule's gate lets through: of the others the score is 0 whatever is learnt. */
export function samplesOf(
  rule: CompiledRule,
  context: Pick<RuleBundle, 'neutral' | 'logitScale'>,
  matrix: Float32Array,
  frames: readonly { readonly vector: Float32Array; readonly positive: boolean }[],
): Sample[] {
  const { head: _, calibration: __, ...plain } = rule
  return frames.flatMap(({ vector, positive }) => {
    const { logit, reached } = ruleEvidence(plain, context, row => dotRow(matrix, row, vector))
    return reached ? [{ vector, logit, positive }] : []
  })
}

/**
 * Fits a head and a calibration. The calibration is fitted on what heads say of frames that they were not fitted on
 * (cross-fitting): on its own frames a head is surer than it may be. A head that does not lower the Brier score in the
 * cross-validation is left out.
 */
export function learn(samples: readonly Sample[], fitHead: FitHead | undefined): Lesson {
  const positives = samples.filter(({ positive }) => positive).length
  const plain = samples.map(({ logit, positive }) => ({ logit, positive }))
  const few =
    samples.length < MIN_LESSON || Math.min(positives, samples.length - positives) < MIN_LESSON_PER_CLASS
  const report = {
    labels: samples.length,
    positives,
    eceBefore: samples.length === 0 ? null : expectedCalibrationError(scored(plain)),
  }
  if (few) {
    const nothing = { calibration: null, head: false, eceAfter: null }
    return { head: undefined, calibration: undefined, report: { ...report, ...nothing } }
  }
  const folds = foldsOf(samples)
  const guided = fitHead && crossFitted(samples, folds, fitHead)
  const helps = guided !== undefined && brierScore(scored(guided)) < brierScore(scored(plain))
  const labels = helps ? guided : plain
  const calibration = fitCalibration(labels)
  const refit = calibration?.method === 'isotonic' ? fitIsotonic : fitPlatt
  const byFold = Array.from({ length: FOLDS }, (_, fold) =>
    calibration === undefined ? undefined : refit(labels.filter((_, i) => folds[i] !== fold)),
  )
  return {
    head: helps ? fitHead?.(samples) : undefined,
    calibration,
    report: {
      ...report,
      calibration: calibration?.method ?? null,
      head: helps,
      eceAfter: expectedCalibrationError(
        labels.map(({ logit, positive }, i) => ({
          score: applyCalibration(byFold[folds[i]!], logit),
          positive,
        })),
      ),
    },
  }
}

/** Each class dealt out in turn, so that every part has its share of both. */
function foldsOf(samples: readonly Sample[]): number[] {
  const dealt = { true: 0, false: 0 }
  return samples.map(({ positive }) => dealt[`${positive}`]++ % FOLDS)
}

/** Logits with the word of a head that was fitted on the other parts; undefined when one of them gives none. */
function crossFitted(
  samples: readonly Sample[],
  folds: readonly number[],
  fitHead: FitHead,
): Label[] | undefined {
  const heads = Array.from({ length: FOLDS }, (_, fold) =>
    fitHead(samples.filter((_, i) => folds[i] !== fold)),
  )
  if (heads.includes(undefined)) return undefined
  return samples.map(({ vector, logit, positive }, i) => ({
    logit: withHead(logit, heads[folds[i]!]!, vector),
    positive,
  }))
}

function withHead(logit: number, { vector, scale, bias }: Head, frame: Float32Array): number {
  return clamp(logit + scale * dotRow(vector, 0, frame) + bias, -MAX_LOGIT, MAX_LOGIT)
}

function scored(labels: readonly Label[]): Scored[] {
  return labels.map(({ logit, positive }) => ({ score: probability(logit), positive }))
}
