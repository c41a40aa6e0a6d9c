import type { CompiledRule } from '@sightline/core'

/** A rule as devices get it, of one prompt in row 0. */
export function compiledRule(change: Partial<CompiledRule> = {}): CompiledRule {
  return {
    id: 'fire',
    name: 'Fire',
    category: 'safety/fire',
    severity: 'high',
    positives: [0],
    negatives: [],
    positiveExamples: [],
    negativeExamples: [],
    on: 0.7,
    off: 0.5,
    minSimilarity: 0.1,
    minExampleSimilarity: 0.8,
    minFrames: 1,
    windowSeconds: 0,
    offDelaySeconds: 0,
    cooldownSeconds: 0,
    cameras: ['*'],
    actions: [],
    ...change,
  }
}
