import { dot } from '@sightline/core'
import { applyCalibration, fitCalibration } from '@sightline/core/moderation/calibration.js'
import {
  FEW_SHOT,
  type FewShotSettings,
  fitHead,
  headLogit,
  type LabelledFrame,
} from '@sightline/core/moderation/few-shot.js'
import {
  detection,
  expectedCalibrationError,
  prAuc,
  type Scored,
} from '@sightline/core/moderation/quality.js'
import { EXAMPLE_SHARPNESS, EXAMPLE_WEIGHT } from '@sightline/core/moderation/rule-evidence.js'
import { probability } from '@sightline/core/moderation/rule-logit.js'
import { seeded } from './seeded.ts'
import type { Gates, JudgedPhoto } from './streams.ts'

/** Sets of labels a rule and number. */
export const FEW_SHOT_DRAWS = 12
export const LABEL_COUNTS = [5, 10, 20, 50] as const
/** A probability's own threshold: more likely than not. */
const THRESHOLD = 0.5
/** Score from which a frame may come before a reviewer as something other than an incident. */
const AUDIT_FROM = 0.05

export interface FewShotRule {
  readonly photos: readonly JudgedPhoto[]
  readonly gates: Gates & { readonly minExampleSimilarity: number }
}

export interface FewShotQuality {
  readonly f1: number
  readonly prAuc: number
  readonly calibrationError: number
}

/** Turns labels into scores of other photos. */
export type Learner = (labels: readonly JudgedPhoto[], gates: FewShotRule['gates']) => Score
type Score = (photo: JudgedPhoto) => number

const reaches = ({ similarity }: JudgedPhoto, { minSimilarity }: Gates) => similarity >= minSimilarity

export const promptsAlone: Learner = (_, gates) => photo =>
  reaches(photo, gates) ? probability(photo.logit) : 0

export const withPlatt: Learner = (labels, gates) => {
  const calibration = fitCalibration(labels)
  return photo => (reaches(photo, gates) ? applyCalibration(calibration, photo.logit) : 0)
}

export interface ExampleSettings {
  readonly weight: number
  readonly sharpness: number
  readonly negatives: boolean
}

const EXAMPLES: ExampleSettings = { weight: EXAMPLE_WEIGHT, sharpness: EXAMPLE_SHARPNESS, negatives: true }

/** The labels as example pictures: the term that `ruleEvidence` adds. */
export function withExamples({ weight, sharpness, negatives }: ExampleSettings = EXAMPLES): Learner {
  const affinity = (similarity: number) => Math.exp(-sharpness * (1 - similarity))
  return (labels, gates) => {
    const shown = labels.filter(({ positive }) => positive)
    const others = negatives ? labels.filter(({ positive }) => !positive) : []
    return photo => {
      const forIt = nearest(photo, shown)
      const logit = photo.logit + weight * (affinity(forIt) - affinity(nearest(photo, others)))
      return reaches(photo, gates) || forIt >= gates.minExampleSimilarity ? probability(logit) : 0
    }
  }
}

/** A few-shot head where it helps, and no calibration. */
export function withHead(settings: Partial<FewShotSettings> = {}): Learner {
  return (labels, gates) => {
    const head = fitHead(labels satisfies readonly LabelledFrame[], { ...FEW_SHOT, ...settings })
    return photo => {
      if (!reaches(photo, gates)) return 0
      return probability(photo.logit + (head === undefined ? 0 : headLogit(head, photo.vector)))
    }
  }
}

/** One for each draw: labels from one half of the photos, figures from the other. */
export function drawQualities(
  { photos, gates }: FewShotRule,
  { learner, count, seed }: { learner: Learner; count: number; seed: number },
): FewShotQuality[] {
  return Array.from({ length: FEW_SHOT_DRAWS }, (_, draw) => {
    const random = seeded(1000 * seed + draw)
    const shuffled = photos
      .map(photo => ({ photo, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ photo }) => photo)
    const labels = reviewed(
      shuffled.filter((photo, i) => i % 2 === 0 && reaches(photo, gates)),
      count,
      gates.off,
    )
    const score = learner(labels, gates)
    const tested = shuffled.filter((_, i) => i % 2 === 1)
    return qualityOf(tested.map(photo => ({ score: score(photo), positive: photo.positive })))
  })
}

/** Half incidents (scored at `off` or above), half an audit of what scored less; whatever is missing from the other kind. */
function reviewed(pool: readonly JudgedPhoto[], count: number, off: number): JudgedPhoto[] {
  const between = (from: number, to: number) =>
    pool.filter(({ logit }) => probability(logit) >= from && probability(logit) < to)
  const [incidents, audit] = [between(off, 2), between(AUDIT_FROM, off)]
  const quiet = between(0, AUDIT_FROM).sort((a, b) => b.logit - a.logit)
  const half = Math.floor(count / 2)
  const first = incidents.slice(0, half)
  return [
    ...first,
    ...[...audit.slice(0, count - first.length), ...incidents.slice(half), ...quiet].slice(
      0,
      count - first.length,
    ),
  ]
}

function qualityOf(scored: readonly Scored[]): FewShotQuality {
  return {
    f1: detection(scored, THRESHOLD).f1,
    prAuc: prAuc(scored),
    calibrationError: expectedCalibrationError(scored),
  }
}

function nearest({ vector }: JudgedPhoto, among: readonly JudgedPhoto[]): number {
  return among.reduce((most, each) => Math.max(most, dot(vector, each.vector)), Number.NEGATIVE_INFINITY)
}
