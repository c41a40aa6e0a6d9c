import { type CompiledRule, dotRow, type Rule } from '@sightline/core'
import { judgeRule, type RuleVerdict } from '@sightline/core/moderation/judge-rule.js'
import { applicability, type Occasion } from './applicability.ts'
import { type CompiledRules, competingPrompt, positivePrompt } from './compiled-rules.ts'

export const DECISIONS = ['allow', 'review', 'block'] as const
export type Decision = (typeof DECISIONS)[number]

/** A fired rule of these severities asks for a look; above them it blocks. */
const REVIEWED_SEVERITIES: ReadonlySet<Rule['severity']> = new Set(['info', 'low'])

/** What one rule says of one picture. */
export interface ModerationLabel {
  readonly rule: CompiledRule
  readonly verdict: RuleVerdict
  readonly decision: Decision
  /** Words of the best positive and of the nearest competitor; null where a vector stands for no words. */
  readonly bestPositive: string | null
  readonly bestNegative: string | null
}

export interface Moderation {
  /** The strictest of the labels'. */
  readonly decision: Decision
  /** One for every rule that applies: the strictest decision first, then by margin. */
  readonly labels: readonly ModerationLabel[]
}

/**
 * A picture under the rules, from the definition (`judgeRule`) and without a camera's background: one picture has none.
 * @param frame L2-normalised, of the bundle's dim
 * @param occasion only the rules that look at this camera, are sent to this site and are on duty then; what is not said
 * leaves none out
 */
export function moderate(rules: CompiledRules, frame: Float32Array, occasion: Occasion = {}): Moderation {
  const { bundle, matrix } = rules
  const similarities = new Map<number, number>()
  const similarityOf = (row: number) => {
    const known = similarities.get(row) ?? dotRow(matrix, row, frame)
    similarities.set(row, known)
    return known
  }
  const applies = applicability(rules.document.rules)
  const labels = bundle.rules
    .filter(rule => applies(rule, occasion))
    .map((rule): ModerationLabel => {
      const verdict = judgeRule(rule, bundle, similarityOf)
      const { bestPositive, bestNegative } = verdict
      return {
        rule,
        verdict,
        decision: decisionOf(rule, verdict),
        bestPositive: positivePrompt(rules, rule, bestPositive) ?? null,
        bestNegative: (bestNegative !== undefined && competingPrompt(rules, rule, bestNegative)) || null,
      }
    })
    .sort((a, b) => rank(b) - rank(a) || b.verdict.margin - a.verdict.margin)
  return { decision: labels[0]?.decision ?? 'allow', labels }
}

/**
 * Fired: block, or review where the severity is info or low. In the review band, from `reviewAt` (of a rule without one:
 * from `off`) up to `on`: review. Below: allow. The score is 0 where no positive is near enough.
 */
function decisionOf(rule: CompiledRule, { fired, score }: RuleVerdict): Decision {
  if (fired) return REVIEWED_SEVERITIES.has(rule.severity) ? 'review' : 'block'
  return score > 0 && score >= (rule.reviewAt ?? rule.off) ? 'review' : 'allow'
}

function rank({ decision }: ModerationLabel): number {
  return DECISIONS.indexOf(decision)
}
