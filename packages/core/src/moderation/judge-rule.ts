import type { CompiledRule } from '../protocol/rules.ts'
import { applyCalibration } from './calibration.ts'
import { type RuleContext, ruleEvidence } from './rule-evidence.ts'

export type { RuleContext }

/** One rule and one frame, in full. */
export interface RuleVerdict {
  /** Probability; 0 when no positive, prompt or example, is near enough. */
  readonly score: number
  /** Raw cosine of the best positive prompt. */
  readonly similarity: number
  /** Log-odds in nats before any correction, see `ruleEvidence`; also when the gate is not reached. */
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
  context: RuleContext,
  similarityOf: (row: number) => number,
  offset = 0,
): RuleVerdict {
  const { reached, ...evidence } = ruleEvidence(rule, context, similarityOf)
  const score = reached ? calibratedScore(rule, evidence.logit, offset) : 0
  return { ...evidence, score, margin: score - rule.on, fired: reached && score >= rule.on }
}

/** The score of a frame whose gate is reached: background taken off, then calibrated. */
export function calibratedScore(
  { calibration }: Pick<CompiledRule, 'calibration'>,
  logit: number,
  offset: number,
): number {
  return applyCalibration(calibration, logit - offset)
}
