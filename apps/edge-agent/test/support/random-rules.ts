import type { Calibration, CompiledRule } from '@sightline/core'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { similarity } from '@sightline/core/moderation/similarity-kernel.js'
import type { RuleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { type BundleParts, compiledRule, randomUnit, seeded } from './bundles.ts'

export interface RandomRules {
  readonly parts: BundleParts
  readonly frame: () => Float32Array
  /** What a camera's background takes off, by rule id. */
  readonly offsets: ReadonlyMap<string, number>
}

const GATES = [-1, -0.2, 0, 0.1, 0.25, 0.5, 0.9, 1]

/**
 * Rule sets as they come: clustered vectors, vectors shared among rules, examples, heads, gates from "always" to "never",
 * calibrations, backgrounds, and frames that lie near vectors as well as far away.
 */
export function randomRules(seed: number): RandomRules {
  const random = seeded(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const dim = [8, 13, 16, 32, 64][whole(0, 4)]!
  const centres = Array.from({ length: whole(1, 6) }, () => randomUnit(random, dim))
  const near = () => randomUnit(random, dim, centres[whole(0, centres.length - 1)]!, random() * 1.5)
  const vectors = Array.from({ length: whole(2, 120) }, () =>
    random() < 0.7 ? near() : randomUnit(random, dim),
  )
  // The same words in two packs are two rows with the same content.
  vectors.push(...vectors.slice(0, whole(0, 5)))
  const row = () => whole(0, vectors.length - 1)
  const rows = (least: number, most: number) => Array.from({ length: whole(least, most) }, row)
  const gate = () => (random() < 0.5 ? GATES[whole(0, GATES.length - 1)]! : random() * 1.2 - 0.4)
  const rules: CompiledRule[] = Array.from({ length: whole(1, 60) }, (_, i) => {
    const calibration = randomCalibration(random)
    return compiledRule({
      id: `rule-${i}`,
      positives: rows(1, 8),
      negatives: rows(0, 5),
      positiveExamples: random() < 0.4 ? rows(1, 6) : [],
      negativeExamples: random() < 0.3 ? rows(1, 6) : [],
      minSimilarity: gate(),
      minExampleSimilarity: gate(),
      on: 0.05 + 0.9 * random(),
      ...(random() < 0.3 && { head: { row: row(), scale: 20 * random(), bias: 8 * random() - 6 } }),
      ...(calibration && { calibration }),
    })
  })
  return {
    parts: { vectors, rules, neutral: rows(0, 6), logitScale: whole(5, 100) },
    frame: () => (random() < 0.7 ? near() : randomUnit(random, dim)),
    offsets: new Map(rules.map(({ id }) => [id, random() < 0.5 ? 0 : 3 * random()])),
  }
}

function randomCalibration(random: () => number): Calibration | undefined {
  const kind = random()
  if (kind < 0.4) return undefined
  if (kind < 0.7) return { method: 'platt', a: 0.1 + 2 * random(), b: 4 * random() - 2 }
  const [low, middle] = [0.4 * random(), 0.4 + 0.3 * random()]
  return {
    method: 'isotonic',
    points: [
      [-6, low],
      [0, middle],
      [6, middle],
      [9, 1],
    ],
  }
}

export interface ExactFigures {
  readonly id: string
  readonly similarity: number
  readonly logit: number
  readonly score: number
}

/** Every rule under `judgeRule`, one by one, those whose gate the frame reaches; in the order of a scorer's answer. */
export function bruteForce(
  { bundle, matrix }: RuleVectors,
  frame: Float32Array,
  offsets: ReadonlyMap<string, number> = new Map(),
): ExactFigures[] {
  const similarityOf = (row: number) => similarity(matrix, row, frame)
  return bundle.rules
    .filter(
      rule =>
        rule.positives.some(row => similarityOf(row) >= rule.minSimilarity) ||
        rule.positiveExamples.some(row => similarityOf(row) >= rule.minExampleSimilarity),
    )
    .map(rule => {
      const verdict = judgeRule(rule, bundle, similarityOf, offsets.get(rule.id) ?? 0)
      return { id: rule.id, similarity: verdict.similarity, logit: verdict.logit, score: verdict.score }
    })
    .sort((a, b) => b.score - a.score)
}
