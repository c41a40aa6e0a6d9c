import { dot } from '@sightline/core'

export interface Calibration {
  /** Of the similarities of typical stored frames, and how many these are. */
  readonly mean: number
  readonly spread: number
  readonly count: number
  score(similarity: number): number
  /** The similarity that has this score. */
  similarityOf(score: number): number
  percentile(similarity: number): number
  zScore(similarity: number): number
}

const UNKNOWN: Calibration = {
  mean: 0,
  spread: 0,
  count: 0,
  score: () => 0.5,
  similarityOf: score => (score <= 0.5 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY),
  percentile: () => 0.5,
  zScore: () => 0,
}

/**
 * What a similarity means beside those of typical stored frames.
 *
 * `score` is the probability that a frame, rather than a typical stored one, is what the query means:
 *
 *   score(s) = exp(L s) / (exp(L s) + mean over i of exp(L s_i))
 *
 * with s the frame's cosine to the query, s_i those of the background frames and L the model's logit scale. This is the
 * softmax under which the model learnt to tell the right picture from others, with the mean in the place of the sum, so
 * that the score does not sink as the store grows: 0.5 is a typical frame. Where most frames match the query, none
 * stands out, and the scores are near 0.5 however good the matches are; `similarity` stands beside it for that.
 *
 * For pictures, ids and vectors of pictures the same is computed. L was learnt between pictures and words, and pictures
 * are closer to one another than to words, so those scores crowd towards 0 and 1: there `zScore`, which knows no scale
 * but the spread of the background, tells more.
 *
 * @param background unit vectors; empty: every score and percentile is 0.5, since nothing is known to compare with.
 */
export function calibrate(
  query: Float32Array,
  background: readonly Float32Array[],
  logitScale: number,
): Calibration {
  if (background.length === 0) return UNKNOWN
  const similarities = background.map(vector => dot(vector, query)).sort((a, b) => a - b)
  const count = similarities.length
  // Relative to the highest, so that exp() stays finite at any scale.
  const highest = similarities.at(-1)!
  const sum = similarities.reduce((total, s) => total + Math.exp(logitScale * (s - highest)), 0)
  const typical = highest + Math.log(sum / count) / logitScale
  const mean = similarities.reduce((total, s) => total + s, 0) / count
  const variance = similarities.reduce((total, s) => total + (s - mean) ** 2, 0) / count
  // A background of one picture has no spread to measure by.
  const spread = Math.max(Math.sqrt(variance), 1e-6)
  return {
    mean,
    spread,
    count,
    score: similarity => 1 / (1 + Math.exp(logitScale * (typical - similarity))),
    similarityOf: score => typical + Math.log(score / (1 - score)) / logitScale,
    percentile: similarity => countBelow(similarities, similarity) / count,
    zScore: similarity => (similarity - mean) / spread,
  }
}

function countBelow(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
