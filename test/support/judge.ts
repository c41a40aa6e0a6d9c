import { dot, type RuleBundle } from '@sightline/core'
import { ruleScore } from '@sightline/core/clip/rule-score.js'

export interface Judgement {
  readonly rule: string
  readonly score: number
  readonly similarity: number
  readonly fires: boolean
}

/** A frame under every rule of a bundle, straight from the definition: no index, no state between frames. */
export function judge(bundle: RuleBundle, frame: Float32Array): Judgement[] {
  const vectors = new Float32Array(bundle.vectors.slice().buffer)
  const similarity = (row: number) => dot(vectors.subarray(row * bundle.dim, (row + 1) * bundle.dim), frame)
  return bundle.rules.map(rule => {
    const best = Math.max(...rule.positives.map(similarity))
    const score = ruleScore(best, [...rule.negatives, ...bundle.neutral].map(similarity), bundle.logitScale)
    return {
      rule: rule.id,
      score,
      similarity: best,
      fires: best >= rule.minSimilarity && score >= rule.on,
    }
  })
}
