import { createHash } from 'node:crypto'
import type { RuleVectors } from './rule-vectors.ts'

const KEY_BYTES = 12

/**
 * A digest, by rule id, of all that the rule's logit for a frame depends on: model, temperature, gates, the vectors of its
 * prompts and examples and of the neutral prompts, and its head. Names, thresholds and cameras may change without
 * changing it.
 */
export function ruleKeys({ bundle, matrix }: RuleVectors): ReadonlyMap<string, string> {
  const { dim, fingerprint, logitScale, neutral, rules } = bundle
  const digests = new Map<number, Buffer>()
  const digestOf = (row: number): Buffer => {
    let digest = digests.get(row)
    if (digest === undefined) {
      digest = createHash('sha256')
        .update(matrix.subarray(row * dim, (row + 1) * dim))
        .digest()
      digests.set(row, digest)
    }
    return digest
  }
  const shared = createHash('sha256').update(JSON.stringify([fingerprint, logitScale]))
  for (const row of neutral) shared.update(digestOf(row))
  return new Map(
    rules.map(rule => {
      const { id, positives, negatives, positiveExamples, negativeExamples, head } = rule
      const lists = [positives, negatives, positiveExamples, negativeExamples, head ? [head.row] : []]
      const numbers = [rule.minSimilarity, rule.minExampleSimilarity, head?.scale, head?.bias]
      const hash = shared.copy().update(JSON.stringify([lists.map(list => list.length), numbers]))
      for (const row of lists.flat()) hash.update(digestOf(row))
      return [id, hash.digest().toString('base64url', 0, KEY_BYTES)]
    }),
  )
}
