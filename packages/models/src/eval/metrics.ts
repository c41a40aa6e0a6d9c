import { dot } from '@sightline/core/vector.js'

export const RANKS = [1, 5, 10] as const

/**
 * Share, in percent, of queries whose right answer is among the first 1, 5 and 10.
 * @param owner `owner[t]` is the image that text t describes
 */
export function recalls(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  owner: readonly number[],
): { textToImage: number[]; imageToText: number[] } {
  const textRanks = texts.map((text, t) => {
    const truth = dot(text, images[owner[t]!]!)
    return images.reduce((rank, image) => rank + Number(dot(text, image) > truth), 0)
  })
  const imageRanks = images.map((image, i) => {
    const scores = texts.map(text => dot(text, image))
    const best = scores.reduce((most, score, t) => (owner[t] === i ? Math.max(most, score) : most), -2)
    return scores.filter(score => score > best).length
  })
  const shares = (ranks: readonly number[]) =>
    RANKS.map(k => percent(ranks.filter(rank => rank < k).length / ranks.length))
  return { textToImage: shares(textRanks), imageToText: shares(imageRanks) }
}

/** Percent of images whose most similar class is theirs. */
export function accuracy(
  images: readonly Float32Array[],
  classes: readonly Float32Array[],
  labels: readonly number[],
): number {
  const right = images.filter((image, i) => {
    const scores = classes.map(vector => dot(image, vector))
    return scores.indexOf(Math.max(...scores)) === labels[i]
  })
  return percent(right.length / images.length)
}

/** Area under the ROC curve in percent: how often a positive outscores a negative (ties count half). */
export function areaUnderCurve(scores: readonly number[], positive: readonly boolean[]): number {
  const negatives = scores.filter((_, i) => !positive[i])
  const positives = scores.filter((_, i) => positive[i])
  let wins = 0
  for (const score of positives) {
    for (const other of negatives) wins += score > other ? 1 : score === other ? 0.5 : 0
  }
  return percent(wins / (positives.length * negatives.length))
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10
}
