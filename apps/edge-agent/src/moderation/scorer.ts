import type { CompiledRule, RuleBundle } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import { calibratedScore } from '@sightline/core/moderation/judge-rule.js'
import { neutralEvidence, reachesGate, ruleEvidence } from '@sightline/core/moderation/rule-evidence.js'
import { DutyRoster } from './duty-roster.ts'
import { FrameSimilarities } from './frame-similarities.ts'
import type { RuleIndex } from './rule-index.ts'
import { ruleKeys } from './rule-keys.ts'
import type { RuleVectors } from './rule-vectors.ts'

/** What one rule says of one frame. */
export interface Judgement {
  readonly rule: CompiledRule
  /** Probability after all evidence, with the camera's background taken off, calibrated. */
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
  /** Proposes rules where they are too many to look at each on every frame; undefined: each is looked at. */
  readonly index?: RuleIndex | undefined
  readonly backgrounds?: BackgroundOffsets
}

interface CameraRules {
  readonly list: readonly CompiledRule[]
  readonly set: ReadonlySet<CompiledRule>
}

/** One version of the rules, ready to judge frames. A new bundle is a new scorer. */
export class Scorer {
  readonly #bundle: Omit<RuleBundle, 'vectors'>
  readonly #similarities: FrameSimilarities
  readonly #index: RuleIndex | undefined
  readonly #rules: ReadonlyMap<string, CompiledRule>
  readonly #backgrounds: BackgroundOffsets | undefined
  readonly #cameras = new Map<string, CameraRules>()
  readonly #roster = new DutyRoster()
  /** What each rule's logits depend on, by rule id. */
  readonly keys: ReadonlyMap<string, string>

  constructor({ vectors, index, backgrounds }: ScorerParts) {
    const { vectors: _, ...bundle } = vectors.bundle
    this.#bundle = bundle
    this.#similarities = new FrameSimilarities({ vectors, scan: index === undefined })
    this.#index = index
    this.#backgrounds = backgrounds
    this.keys = ruleKeys(vectors)
    this.#rules = new Map(bundle.rules.map(rule => [rule.id, rule]))
  }

  get version(): number {
    return this.#bundle.version
  }

  /** Hub time, milliseconds since the epoch. */
  get issuedAt(): number {
    return this.#bundle.issuedAt
  }

  all(): Iterable<CompiledRule> {
    return this.#rules.values()
  }

  rule(id: string): CompiledRule | undefined {
    return this.#rules.get(id)
  }

  /** Whether the rule looks at this camera, and is on duty at that frame time (milliseconds since the epoch). */
  appliesTo(rule: CompiledRule, camera: string, at: number): boolean {
    return this.#rulesOf(camera).set.has(rule) && this.#roster.onDuty(rule, at)
  }

  /**
   * Rules of this camera whose gate the frame reaches, best score first, equal ones in the bundle's order; the figures are those of `judgeRule`. Every other
   * rule's score is 0: the gate is on raw cosines, so neither background nor calibration can make a rule fire that is not
   * among them.
   * @param frame L2-normalised, of length dim
   */
  judge(frame: Float32Array, camera: string): Judgement[] {
    const similarities = this.#similarities
    similarities.begin(frame)
    const reached = this.#proposed(frame, camera).filter(rule => reachesGate(rule, similarities.of))
    if (reached.length === 0) return []
    const neutral = neutralEvidence(this.#bundle, similarities.of)
    return reached
      .map((rule): Judgement => {
        const { logit, similarity } = ruleEvidence(rule, this.#bundle, similarities.of, neutral)
        const offset = this.#backgrounds?.offset(camera, rule.id) ?? 0
        return { rule, similarity, logit, score: calibratedScore(rule, logit, offset) }
      })
      .sort((a, b) => b.score - a.score)
  }

  #proposed(frame: Float32Array, camera: string): readonly CompiledRule[] {
    const { list } = this.#rulesOf(camera)
    if (this.#index === undefined) return list
    const proposed = this.#index.propose(frame)
    return list.filter(rule => proposed.has(rule))
  }

  #rulesOf(camera: string): CameraRules {
    let rules = this.#cameras.get(camera)
    if (rules === undefined) {
      const list = this.#bundle.rules.filter(rule => matchesCamera(rule.cameras, camera))
      rules = { list, set: new Set(list) }
      this.#cameras.set(camera, rules)
    }
    return rules
  }
}
