import { fault } from '../errors.ts'
import { dot } from '../vector.ts'
import type { ClipModel } from './model.ts'
import { meanDirection } from './text-encoder.ts'

/** The seven templates that OpenAI found to do nearly as well as its eighty (CLIP, notebooks/Prompt_Engineering). */
export const SIMPLE_TEMPLATES: readonly string[] = [
  'itap of a {}.',
  'a bad photo of the {}.',
  'a origami {}.',
  'a photo of the large {}.',
  'a {} in a video game.',
  'art of the {}.',
  'a photo of the small {}.',
]

export interface Classifier {
  readonly labels: readonly string[]
  /** One unit vector a label. */
  readonly vectors: readonly Float32Array[]
  readonly logitScale: number
  /** Of the model that made the vectors. */
  readonly fingerprint: string
}

export interface ClassScore {
  readonly label: string
  /** Cosine, as the towers give it. */
  readonly similarity: number
  /** Softmax over the classes: what remains for the others matters as much as this one. */
  readonly probability: number
}

/**
 * Embeds every class in every template (`{}` stands for the class), averages the unit vectors of a class and scales the
 * mean to unit length, as OpenCLIP's `build_zero_shot_classifier` does.
 * @throws TEXT_INVALID without classes or templates, or for a template without `{}`
 */
export async function buildClassifier(
  model: Pick<ClipModel, 'encodeTexts' | 'manifest' | 'fingerprint'>,
  classes: readonly string[],
  templates: readonly string[] = ['a photo of a {}.'],
): Promise<Classifier> {
  if (classes.length === 0 || templates.length === 0) {
    throw fault('TEXT_INVALID', 'a classifier needs at least one class and one template')
  }
  const bare = templates.find(template => !template.includes('{}'))
  if (bare !== undefined) throw fault('TEXT_INVALID', `the template "${bare}" has no {}`)
  const prompts = classes.flatMap(label => templates.map(template => template.replaceAll('{}', () => label)))
  const embedded = await model.encodeTexts(prompts)
  const vectors = classes.map((_, i) =>
    meanDirection(embedded.slice(i * templates.length, (i + 1) * templates.length)),
  )
  const { fingerprint, manifest } = model
  return { labels: [...classes], vectors, logitScale: manifest.logitScale, fingerprint }
}

/** Scores in the order of the classes; the probabilities add up to 1. */
export function classify(vector: Float32Array, classifier: Classifier): ClassScore[] {
  const { labels, vectors, logitScale } = classifier
  const similarities = vectors.map(candidate => dot(vector, candidate))
  const highest = Math.max(...similarities)
  // Relative to the highest, so that a scale of 100 cannot overflow.
  const weights = similarities.map(similarity => Math.exp(logitScale * (similarity - highest)))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return labels.map((label, i) => ({ label, similarity: similarities[i]!, probability: weights[i]! / total }))
}
