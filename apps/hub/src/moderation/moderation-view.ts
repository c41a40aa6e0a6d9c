import { randomUUID } from 'node:crypto'
import type { CompiledRules } from './compiled-rules.ts'
import type { Moderation, ModerationLabel } from './moderate.ts'

/**
 * Categories that every answer of OpenAI's moderation endpoint has (API reference, "Create moderation"). Clients with
 * generated types insist on them, so they are always there: without a rule of that category never flagged, score 0, and
 * `category_applied_input_types` says by an empty list that nothing looked.
 */
export const OPENAI_CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm',
  'self-harm/instructions',
  'self-harm/intent',
  'sexual',
  'sexual/minors',
  'violence',
  'violence/graphic',
] as const

/** One result in the OpenAI moderation shape, extended with `labels` and `decision`. */
export function resultView(rules: CompiledRules, { decision, labels }: Moderation, maxLabels: number) {
  const categories: Record<string, boolean> = {}
  const scores: Record<string, number> = {}
  const inputTypes: Record<string, string[]> = {}
  for (const category of OPENAI_CATEGORIES) {
    categories[category] = false
    scores[category] = 0
    inputTypes[category] = []
  }
  for (const { rule, verdict } of labels) {
    // What is found of `violence/weapons` is also found of `violence`.
    for (const category of withAncestors(rule.category)) {
      categories[category] = (categories[category] ?? false) || verdict.fired
      scores[category] = Math.max(scores[category] ?? 0, verdict.score)
      inputTypes[category] = ['image']
    }
  }
  const told = labels.filter((label, i) => i < maxLabels || label.decision !== 'allow')
  return {
    flagged: labels.some(({ verdict }) => verdict.fired),
    categories,
    category_scores: scores,
    category_applied_input_types: inputTypes,
    decision,
    labels: told.map(label => labelView(rules, label)),
  }
}

export function newModerationId(): string {
  return `modr-${randomUUID().replaceAll('-', '')}`
}

function labelView({ document }: CompiledRules, label: ModerationLabel) {
  const { rule, verdict, decision, bestPositive, bestNegative } = label
  const { category } = rule
  const parent = category.lastIndexOf('/')
  return {
    name: category,
    parent: parent < 0 ? null : category.slice(0, parent),
    rule_id: rule.id,
    rule_name: rule.name,
    rule_version: document.version,
    severity: rule.severity,
    decision,
    similarity: verdict.similarity,
    score: verdict.score,
    threshold: rule.on,
    margin: verdict.margin,
    best_positive: bestPositive,
    best_negative: bestNegative,
  }
}

/** `a/b/c` -> a/b/c, a/b, a. */
function withAncestors(category: string): string[] {
  const parts = category.split('/')
  return parts.map((_, i) => parts.slice(0, parts.length - i).join('/'))
}
