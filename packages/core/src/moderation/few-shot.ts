import type { Calibration } from '../protocol/rules.ts'
import { dot, l2Normalize } from '../vector.ts'
import { fitCalibration, type Label } from './calibration.ts'
import { crossEntropy, probability } from './rule-logit.ts'
import { solvePositiveDefinite } from './solve.ts'

/** A reviewed frame with what it looks like. `logit` is the rule's without a head; if the frame is one of the rule's own examples, without that example. */
export interface LabelledFrame extends Label {
  /** L2-normalised, of the model that the rule's vectors are of. */
  readonly vector: Float32Array
}

/** Adds `scale` times the cosine of frame and `vector`, plus `bias`, to a rule's log-odds; in nats. */
export interface FewShotHead {
  /** L2-normalised. */
  readonly vector: Float32Array
  readonly scale: number
  readonly bias: number
}

/** Every number is argued for in docs/moderation.md. */
export interface FewShotSettings {
  /** V: prior variance, in nats squared, of what a head says of a frame beyond its bias; 1 / V is the L2 penalty on w. */
  readonly weightVariance: number
  /** B: prior variance of the bias. */
  readonly biasVariance: number
  readonly minLabels: number
  readonly minPerClass: number
  /** Of the cross-validation. With no more labels than that each is left out by itself. */
  readonly folds: number
  /** The newest so many are learnt from: the work grows with their cube. */
  readonly maxLabels: number
}

export const FEW_SHOT: FewShotSettings = {
  weightVariance: 6,
  biasVariance: 16,
  minLabels: 8,
  minPerClass: 2,
  folds: 10,
  maxLabels: 200,
}

/** What reviewers' labels make of a rule. */
export interface Learnt {
  readonly head?: FewShotHead
  readonly calibration?: Calibration
}

/**
 * The head, where it helps; otherwise the calibration, where there are labels enough. Never both: a head has its bias, and a
 * calibration fitted behind it gained nothing (docs/moderation.md).
 * @param frames oldest first
 */
export function learnFromLabels(frames: readonly LabelledFrame[]): Learnt {
  const head = fitHead(frames)
  if (head !== undefined) return { head }
  const calibration = fitCalibration(frames)
  return calibration === undefined ? {} : { calibration }
}

/**
 * A linear residual on top of a rule's own log-odds, z' = z + w·x + b, by logistic regression with z as the offset and
 * Gaussian priors w ~ N(0, V), b ~ N(0, B), on Platt's (1999) smoothed targets. Whatever the priors do not let the labels
 * prove stays with the words of the rule.
 *
 * @param frames oldest first
 * @returns undefined when labels are too few, or when the head, cross-validated, says less of them than z alone does.
 */
export function fitHead(
  frames: readonly LabelledFrame[],
  settings: FewShotSettings = FEW_SHOT,
): FewShotHead | undefined {
  const labels = frames.slice(-settings.maxLabels)
  const positives = labels.filter(({ positive }) => positive).length
  if (labels.length < settings.minLabels) return undefined
  if (Math.min(positives, labels.length - positives) < settings.minPerClass) return undefined
  if (crossValidatedGain(labels, settings) <= 0) return undefined
  return headOf(labels, settings)
}

/** What a head adds to the log-odds of a frame. */
export function headLogit({ vector, scale, bias }: FewShotHead, frame: Float32Array): number {
  return scale * dot(vector, frame) + bias
}

/** Nats a label by which heads, each fitted without the fold it is tested on, lower the cross-entropy of z. */
function crossValidatedGain(labels: readonly LabelledFrame[], settings: FewShotSettings): number {
  // Positives first, then dealt out: every fold has its share of both kinds.
  const dealt = [...labels].sort((a, b) => Number(b.positive) - Number(a.positive))
  const folds = Math.min(settings.folds, dealt.length)
  let gain = 0
  for (let fold = 0; fold < folds; fold++) {
    const head = headOf(
      dealt.filter((_, i) => i % folds !== fold),
      settings,
    )
    for (let i = fold; i < dealt.length; i += folds) {
      const { vector, logit, positive } = dealt[i]!
      gain += crossEntropy(logit, Number(positive))
      gain -= crossEntropy(logit + headLogit(head, vector), Number(positive))
    }
  }
  return gain / dealt.length
}

const MAX_ITERATIONS = 50
const MIN_STEP = 1e-6
/** Nats that the objective must still fall by. */
const TOLERANCE = 1e-9

/**
 * There are fewer labels than dimensions, so it is solved in the dual: w = V Σ a_i x_i, b = B Σ a_i, with covariance
 * K_ij = V x_i·x_j + B of g = f - z, by Newton's method with step halving (Rasmussen & Williams 2006, algorithm 3.1).
 */
function headOf(labels: readonly LabelledFrame[], settings: FewShotSettings): FewShotHead {
  const { weightVariance, biasVariance } = settings
  const covariance = labels.map(({ vector }) =>
    Float64Array.from(labels, other => weightVariance * dot(vector, other.vector) + biasVariance),
  )
  const targets = smoothedTargets(labels)
  const offsets = labels.map(({ logit }) => logit)
  const at = (a: Float64Array): Point => {
    const g = times(covariance, a)
    let loss = 0
    for (let i = 0; i < g.length; i++)
      loss += 0.5 * a[i]! * g[i]! + crossEntropy(offsets[i]! + g[i]!, targets[i]!)
    return { a, g, loss }
  }
  let point = at(new Float64Array(labels.length))
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const newton = newtonStep(covariance, { offsets, targets, g: point.g })
    const { a, loss } = point
    let step = 1
    let next = at(newton)
    while (!(next.loss <= loss) && step > MIN_STEP) {
      step /= 2
      next = at(newton.map((to, i) => a[i]! + step * (to - a[i]!)))
    }
    if (!(next.loss < loss - TOLERANCE)) break
    point = next
  }
  return toHead(labels, point.a, settings)
}

interface Point {
  readonly a: Float64Array
  readonly g: Float64Array
  /** Negative log posterior, up to a constant. */
  readonly loss: number
}

function newtonStep(
  covariance: readonly Float64Array[],
  { offsets, targets, g }: { offsets: readonly number[]; targets: readonly number[]; g: Float64Array },
): Float64Array {
  const p = g.map((value, i) => probability(offsets[i]! + value))
  const weights = p.map(value => value * (1 - value))
  const roots = weights.map(Math.sqrt)
  const right = g.map((value, i) => weights[i]! * value + targets[i]! - p[i]!)
  const matrix = covariance.map((row, i) =>
    row.map((value, j) => roots[i]! * value * roots[j]! + Number(i === j)),
  )
  const solved = solvePositiveDefinite(
    matrix,
    times(covariance, right).map((value, i) => roots[i]! * value),
  )
  return right.map((value, i) => value - roots[i]! * solved[i]!)
}

function toHead(
  labels: readonly LabelledFrame[],
  a: Float64Array,
  { weightVariance, biasVariance }: FewShotSettings,
): FewShotHead {
  const weights = new Float64Array(labels[0]!.vector.length)
  for (const [i, { vector }] of labels.entries()) {
    for (let j = 0; j < weights.length; j++) weights[j]! += weightVariance * a[i]! * vector[j]!
  }
  const scale = Math.hypot(...weights)
  const bias = biasVariance * a.reduce((sum, value) => sum + value, 0)
  // Labels that the rule explains to the last digit leave no direction: any will do at scale 0.
  const vector = scale < 1e-9 ? labels[0]!.vector.slice() : l2Normalize(Float32Array.from(weights))
  return { vector, scale: scale < 1e-9 ? 0 : scale, bias }
}

function smoothedTargets(labels: readonly LabelledFrame[]): number[] {
  const positives = labels.filter(({ positive }) => positive).length
  const high = (positives + 1) / (positives + 2)
  const low = 1 / (labels.length - positives + 2)
  return labels.map(({ positive }) => (positive ? high : low))
}

function times(matrix: readonly Float64Array[], vector: Float64Array): Float64Array {
  return Float64Array.from(matrix, row => row.reduce((sum, value, j) => sum + value * vector[j]!, 0))
}
