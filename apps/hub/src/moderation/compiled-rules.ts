import type { CompiledRule, RuleBundle } from '@sightline/core'
import { NEUTRAL_PROMPTS } from '../rules/compile.ts'
import type { RuleDocument } from '../store/record-store.ts'

/** Rules as people wrote them beside the same rules as frames are judged by. */
export interface CompiledRules {
  readonly document: RuleDocument
  readonly bundle: RuleBundle
  /** Row-major [rows, dim], each row L2-normalised. */
  readonly matrix: Float32Array
}

export function compiledRules(document: RuleDocument, bundle: RuleBundle): CompiledRules {
  // A copy, since a Float32Array needs an aligned buffer.
  return { document, bundle, matrix: new Float32Array(new Uint8Array(bundle.vectors).buffer) }
}

/** The words behind a positive row; undefined when the row stands for no words. */
export function positivePrompt({ document }: CompiledRules, rule: CompiledRule, row: number) {
  const written = document.rules.find(({ id }) => id === rule.id)
  return written?.positives[rule.positives.indexOf(row)]
}

/** The words behind a competing row, be it the rule's own or the neutral set's. */
export function competingPrompt({ document, bundle }: CompiledRules, rule: CompiledRule, row: number) {
  const own = rule.negatives.indexOf(row)
  if (own >= 0) return document.rules.find(({ id }) => id === rule.id)?.negatives[own]
  return NEUTRAL_PROMPTS[bundle.neutral.indexOf(row)]
}
