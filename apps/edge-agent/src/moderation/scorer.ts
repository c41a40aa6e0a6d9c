import { type CompiledRule, dotRow, ruleScore } from '@sightline/core'
import type { RuleIndex } from './rule-index.ts'
import type { RuleVectors } from './rule-vectors.ts'

/** What one rule says of one frame. */
export interface Judgement {
  readonly rule: CompiledRule
  /** Probability against the rule's negatives and the neutral set. */
  readonly score: number
  /** Raw cosine of the best positive prompt. */
  readonly similarity: number
}

/** One version of the rules, ready to judge frames. Immutable: a new bundle is a new scorer. */
export class Scorer {
  readonly #vectors: RuleVectors
  readonly #index: RuleIndex
  readonly #rules: ReadonlyMap<string, CompiledRule>
  readonly #cameras = new Map<string, ReadonlySet<CompiledRule>>()

  constructor({ vectors, index }: { vectors: RuleVectors; index: RuleIndex }) {
    this.#vectors = vectors
    this.#index = index
    this.#rules = new Map(vectors.bundle.rules.map(rule => [rule.id, rule]))
  }

  get version(): number {
    return this.#vectors.bundle.version
  }

  /** Hub time, milliseconds since the epoch. */
  get issuedAt(): number {
    return this.#vectors.bundle.issuedAt
  }

  rule(id: string): CompiledRule | undefined {
    return this.#rules.get(id)
  }

  appliesTo(rule: CompiledRule, camera: string): boolean {
    return this.#rulesOf(camera).has(rule)
  }

  /**
   * Rules of this camera whose best positive reaches `minSimilarity`, best score first. Every other rule's score is 0.
   * @param frame L2-normalised, of length dim
   */
  judge(frame: Float32Array, camera: string): Judgement[] {
    const applicable = this.#rulesOf(camera)
    const best = new Map<CompiledRule, number>()
    for (const { entry, similarity } of this.#index.matches(frame)) {
      for (const rule of entry.rules) {
        if (!applicable.has(rule)) continue
        if (similarity > (best.get(rule) ?? Number.NEGATIVE_INFINITY)) best.set(rule, similarity)
      }
    }
    if (best.size === 0) return []
    const { bundle, matrix } = this.#vectors
    const similarities = new Map<number, number>()
    const similarityOf = (row: number) => {
      let known = similarities.get(row)
      if (known === undefined) {
        known = dotRow(matrix, row, frame)
        similarities.set(row, known)
      }
      return known
    }
    const neutral = bundle.neutral.map(similarityOf)
    return [...best]
      .map(([rule, similarity]) => {
        const competitors = [...rule.negatives.map(similarityOf), ...neutral]
        return { rule, similarity, score: ruleScore(similarity, competitors, bundle.logitScale) }
      })
      .sort((a, b) => b.score - a.score)
  }

  #rulesOf(camera: string): ReadonlySet<CompiledRule> {
    let rules = this.#cameras.get(camera)
    if (rules === undefined) {
      rules = new Set(this.#vectors.bundle.rules.filter(rule => matchesAny(rule.cameras, camera)))
      this.#cameras.set(camera, rules)
    }
    return rules
  }
}

/** `*` stands for any run of characters; everything else for itself. */
function matchesAny(globs: readonly string[], camera: string): boolean {
  return globs.some(glob => {
    const parts = glob.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`).test(camera)
  })
}
