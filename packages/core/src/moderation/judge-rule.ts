import type { CompiledRule } from '../protocol/rules.ts'
import { applyCalibration } from './calibration.ts'
import { ruleLogit } from './rule-logit.ts'

/** What every rule of a bundle shares. */
export interface RuleContext {
  /** Rows of the neutral prompts. */
  readonly neutral: readonly number[]
  readonly logitScale: number
}

/** One rule and one frame, in full. */
export interface RuleVerdict {
  /** Probability; 0 when the best positive does not reach `minSimilarity`. */
  readonly score: number
  /** Raw cosine of the best positive. */
  readonly similarity: number
  /** Log-odds in nats before any correction, see `ruleLogit`; also when the gate is not reached. */
  readonly logit: number
  /** Score minus the rule's `on`. */
  readonly margin: number
  /** At `on` or above, with the gate reached. */
  readonly fired: boolean
  /** Row of the best positive prompt. */
  readonly bestPositive: number
  /** Row of the nearest negative or neutral prompt; undefined when nothing competes. */
  readonly bestNegative: number | undefined
}

/**
 * A rule's verdict on a frame, from the definition: the same figures as an edge gives, whose index only finds the rules.
 * @param similarityOf cosine of the frame with a row of the bundle's vectors
 * @param offset what the camera's background takes off the logit, in nats (`BackgroundEstimate.offset`)
 */
export function judgeRule(
  rule: CompiledRule,
  { neutral, logitScale }: RuleContext,
  similarityOf: (row: number) => number,
  offset = 0,
): RuleVerdict {
  const positive = nearest(rule.positives, similarityOf)
  const negative = nearest([...rule.negatives, ...neutral], similarityOf)
  const logit = ruleLogit(positive.similarity, negative.similarities, logitScale)
  const reached = positive.similarity >= rule.minSimilarity
  const score = reached ? calibratedScore(rule, logit, offset) : 0
  return {
    score,
    similarity: positive.similarity,
    logit,
    margin: score - rule.on,
    fired: reached && score >= rule.on,
    bestPositive: positive.row!,
    bestNegative: negative.row,
  }
}

/** The score of a frame whose gate is reached: background taken off, then calibrated. */
export function calibratedScore(
  { calibration }: Pick<CompiledRule, 'calibration'>,
  logit: number,
  offset: number,
): number {
  return applyCalibration(calibration, logit - offset)
}

function nearest(rows: readonly number[], similarityOf: (row: number) => number) {
  const similarities = rows.map(similarityOf)
  const similarity = similarities.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY)
  return { similarity, similarities, row: rows[similarities.indexOf(similarity)] }
}
