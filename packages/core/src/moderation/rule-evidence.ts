import type { CompiledRule } from '../protocol/rules.ts'
import { clamp, MAX_LOGIT, ruleLogit } from './rule-logit.ts'

/** What every rule of a bundle shares. */
export interface RuleContext {
  /** Rows of the neutral prompts. */
  readonly neutral: readonly number[]
  readonly logitScale: number
}

export type EvidenceRule = Pick<
  CompiledRule,
  | 'positives'
  | 'negatives'
  | 'positiveExamples'
  | 'negativeExamples'
  | 'minSimilarity'
  | 'minExampleSimilarity'
  | 'head'
>

export interface RuleEvidence {
  /** Log-odds in nats before background and calibration, of all the evidence together. */
  readonly logit: number
  /** Raw cosine of the best positive prompt. */
  readonly similarity: number
  /** Whether any positive, prompt or example, is near enough for the score to count. */
  readonly reached: boolean
  readonly bestPositive: number
  /** Row of the nearest negative or neutral prompt; undefined when nothing competes. */
  readonly bestNegative: number | undefined
}

/** How fast an example's word fades with the distance to it: beta of Tip-Adapter (Zhang et al. 2022, eq. 3). */
const EXAMPLE_SHARPNESS = 5.5
/** What a picture that equals an example adds, in nats: alpha of Tip-Adapter. */
const EXAMPLE_WEIGHT = 6

/**
 * All that speaks for and against a rule on one frame, as log-odds in nats: the prompts' softmax (`ruleLogit`), plus
 *
 *   EXAMPLE_WEIGHT (A(s+) - A(s-)),  A(s) = exp(-EXAMPLE_SHARPNESS (1 - s))
 *
 * with s+ and s- the cosines of the nearest positive and negative example (pictures are far nearer to pictures than
 * to words, so that the two cannot share one softmax), plus the few-shot head's word, `scale` cos + `bias`.
 * @param similarityOf cosine of the frame with a row of the bundle's vectors
 */
export function ruleEvidence(
  rule: EvidenceRule,
  { neutral, logitScale }: RuleContext,
  similarityOf: (row: number) => number,
): RuleEvidence {
  const positive = nearest(rule.positives, similarityOf)
  const negative = nearest([...rule.negatives, ...neutral], similarityOf)
  const forIt = nearest(rule.positiveExamples, similarityOf).similarity
  const against = nearest(rule.negativeExamples, similarityOf).similarity
  const { head } = rule
  const logit =
    ruleLogit(positive.similarity, negative.similarities, logitScale) +
    EXAMPLE_WEIGHT * (affinity(forIt) - affinity(against)) +
    (head === undefined ? 0 : head.scale * similarityOf(head.row) + head.bias)
  return {
    logit: clamp(logit, -MAX_LOGIT, MAX_LOGIT),
    similarity: positive.similarity,
    reached: positive.similarity >= rule.minSimilarity || forIt >= rule.minExampleSimilarity,
    bestPositive: positive.row!,
    bestNegative: negative.row,
  }
}

/** 0 for no example at all (similarity minus infinity). */
function affinity(similarity: number): number {
  return Math.exp(-EXAMPLE_SHARPNESS * (1 - similarity))
}

function nearest(rows: readonly number[], similarityOf: (row: number) => number) {
  const similarities = rows.map(similarityOf)
  const similarity = similarities.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY)
  return { similarity, similarities, row: rows[similarities.indexOf(similarity)] }
}
