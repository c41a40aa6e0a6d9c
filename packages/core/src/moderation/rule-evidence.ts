import type { CompiledRule } from '../protocol/rules.ts'
import { clamp, MAX_LOGIT } from './rule-logit.ts'

/** What every rule of a bundle shares. */
export interface RuleContext {
  /** Rows of the neutral prompts. */
  readonly neutral: readonly number[]
  readonly logitScale: number
}

/** Cosine of a frame with a row of the bundle's vectors. */
export type SimilarityOf = (row: number) => number

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

/** The nearest of some rows, with its cosine; minus infinity where there is no row. */
interface Nearest {
  readonly row: number | undefined
  readonly similarity: number
}

/** What the neutral prompts say of a frame. The same for every rule, so that a frame under many rules needs it once. */
export interface NeutralEvidence extends Nearest {
  /** Sum over the neutral cosines c of exp(L (c - `similarity`)). */
  readonly odds: number
}

/** How fast an example's word fades with the distance to it: beta of Tip-Adapter, and its value (Zhang et al. 2022, eq. 3). */
export const EXAMPLE_SHARPNESS = 5.5
/** What a picture that equals an example adds, in nats: alpha of Tip-Adapter. Measured, see docs/moderation.md. */
export const EXAMPLE_WEIGHT = 16

/**
 * All that speaks for and against a rule on one frame, as log-odds in nats: the prompts' softmax (`ruleLogit`), plus
 *
 *   EXAMPLE_WEIGHT (A(s+) - A(s-)),  A(s) = exp(-EXAMPLE_SHARPNESS (1 - s))
 *
 * with s+ and s- the cosines of the nearest positive and negative example (pictures are far nearer to pictures than
 * to words, so that the two cannot share one softmax), plus the few-shot head's word, `scale` cos + `bias`.
 */
export function ruleEvidence(
  rule: EvidenceRule,
  context: RuleContext,
  similarityOf: SimilarityOf,
  neutral: NeutralEvidence = neutralEvidence(context, similarityOf),
): RuleEvidence {
  const { logitScale } = context
  const positive = nearest(rule.positives, similarityOf)
  const forIt = nearest(rule.positiveExamples, similarityOf).similarity
  const against = nearest(rule.negativeExamples, similarityOf).similarity
  let odds = neutral.odds * Math.exp(logitScale * (neutral.similarity - positive.similarity))
  let [bestNegative, mostNegative] = [neutral.row, neutral.similarity]
  for (const row of rule.negatives) {
    const similarity = similarityOf(row)
    odds += Math.exp(logitScale * (similarity - positive.similarity))
    if (similarity > mostNegative) [bestNegative, mostNegative] = [row, similarity]
  }
  const { head } = rule
  const logit =
    clamp(-Math.log(odds), -MAX_LOGIT, MAX_LOGIT) +
    EXAMPLE_WEIGHT * (affinity(forIt) - affinity(against)) +
    (head === undefined ? 0 : head.scale * similarityOf(head.row) + head.bias)
  return {
    logit: clamp(logit, -MAX_LOGIT, MAX_LOGIT),
    similarity: positive.similarity,
    reached: positive.similarity >= rule.minSimilarity || forIt >= rule.minExampleSimilarity,
    bestPositive: positive.row!,
    bestNegative,
  }
}

/** Once a frame; `ruleEvidence` does it by itself where there is but one rule. */
export function neutralEvidence(
  { neutral, logitScale }: RuleContext,
  similarityOf: SimilarityOf,
): NeutralEvidence {
  const { row, similarity } = nearest(neutral, similarityOf)
  let odds = 0
  for (const each of neutral) odds += Math.exp(logitScale * (similarityOf(each) - similarity))
  return { row, similarity, odds }
}

/** `reached` of `ruleEvidence` for the price of the positives: a frame reaches few of many rules. */
export function reachesGate(rule: EvidenceRule, similarityOf: SimilarityOf): boolean {
  for (const row of rule.positives) if (similarityOf(row) >= rule.minSimilarity) return true
  for (const row of rule.positiveExamples) if (similarityOf(row) >= rule.minExampleSimilarity) return true
  return false
}

/** 0 for no example at all (similarity minus infinity). */
function affinity(similarity: number): number {
  return Math.exp(-EXAMPLE_SHARPNESS * (1 - similarity))
}

function nearest(rows: readonly number[], similarityOf: SimilarityOf): Nearest {
  let row: number | undefined
  let similarity = Number.NEGATIVE_INFINITY
  for (const each of rows) {
    const other = similarityOf(each)
    if (other > similarity) {
      similarity = other
      row = each
    }
  }
  return { row, similarity }
}
