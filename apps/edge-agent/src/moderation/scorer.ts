import { type CompiledRule, dotRow } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import { calibratedScore } from '@sightline/core/moderation/judge-rule.js'
import { ruleLogit } from '@sightline/core/moderation/rule-logit.js'
import { DutyRoster } from './duty-roster.ts'
import type { RuleIndex } from './rule-index.ts'
import { ruleKeys } from './rule-keys.ts'
import type { RuleVectors } from './rule-vectors.ts'

/** What one rule says of one frame. */
export interface Judgement {
  readonly rule: CompiledRule
  /** Probability against the rule's negatives and the neutral set, with the camera's background taken off, calibrated. */
  readonly score: number
  /** Raw cosine of the best positive prompt. */
  readonly similarity: number
  /** Raw log-odds, in nats, that the score was made from. */
  readonly logit: number
}

/** What a camera's usual picture takes off a rule's log-odds. */
export interface BackgroundOffsets {
  /** In nats, 0 and more. */
  offset(camera: string, rule: string): number
}

export interface ScorerParts {
  readonly vectors: RuleVectors
  readonly index: RuleIndex
  readonly backgrounds?: BackgroundOffsets
}

/** One version of the rules, ready to judge frames. Immutable: a new bundle is a new scorer. */
export class Scorer {
  readonly #vectors: RuleVectors
  readonly #index: RuleIndex
  readonly #rules: ReadonlyMap<string, CompiledRule>
  readonly #backgrounds: BackgroundOffsets | undefined
  readonly #cameras = new Map<string, ReadonlySet<CompiledRule>>()
  readonly #roster = new DutyRoster()
  /** What each rule's logits depend on, by rule id. */
  readonly keys: ReadonlyMap<string, string>

  constructor({ vectors, index, backgrounds }: ScorerParts) {
    this.#vectors = vectors
    this.#index = index
    this.#backgrounds = backgrounds
    this.keys = ruleKeys(vectors)
    this.#rules = new Map(vectors.bundle.rules.map(rule => [rule.id, rule]))
  }

  get version(): number {
    return this.#vectors.bundle.version
  }

  /** Hub time, milliseconds since the epoch. */
  get issuedAt(): number {
    return this.#vectors.bundle.issuedAt
  }

  all(): Iterable<CompiledRule> {
    return this.#rules.values()
  }

  rule(id: string): CompiledRule | undefined {
    return this.#rules.get(id)
  }

  /** Whether the rule looks at this camera, and is on duty at that frame time (milliseconds since the epoch). */
  appliesTo(rule: CompiledRule, camera: string, at: number): boolean {
    return this.#rulesOf(camera).has(rule) && this.#roster.onDuty(rule, at)
  }

  /**
   * Rules of this camera whose best positive reaches `minSimilarity`, best score first. Every other rule's score is 0:
   * that gate is on the raw cosine, so neither background nor calibration can make a rule fire that is not among them.
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
        const logit = ruleLogit(similarity, competitors, bundle.logitScale)
        const offset = this.#backgrounds?.offset(camera, rule.id) ?? 0
        return { rule, similarity, logit, score: calibratedScore(rule, logit, offset) }
      })
      .sort((a, b) => b.score - a.score)
  }

  #rulesOf(camera: string): ReadonlySet<CompiledRule> {
    let rules = this.#cameras.get(camera)
    if (rules === undefined) {
      rules = new Set(this.#vectors.bundle.rules.filter(rule => matchesCamera(rule.cameras, camera)))
      this.#cameras.set(camera, rules)
    }
    return rules
  }
}
