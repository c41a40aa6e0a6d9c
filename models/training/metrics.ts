import { dot } from '@sightline/core'

export const RANKS = [1, 5, 10]

/** Mean of unit vectors, unit length again. */
export function centroid(vectors: Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0].length)
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i] += vector[i]
  const norm = Math.sqrt(dot(sum, sum))
  return sum.map(value => value / norm)
}

/** Share, in percent, of queries whose right answer is among the first 1, 5 and 10. `owner[t]` is text t's image. */
export function recalls(images: Float32Array[], texts: Float32Array[], owner: number[]) {
  const imageRanks = new Array<number>(images.length).fill(Number.POSITIVE_INFINITY)
  const textRanks = texts.map((text, t) => {
    const truth = dot(text, images[owner[t]])
    return images.reduce((rank, image) => rank + Number(dot(text, image) > truth), 0)
  })
  for (const [i, image] of images.entries()) {
    const scores = texts.map(text => dot(text, image))
    const best = Math.max(...scores.filter((_, t) => owner[t] === i))
    imageRanks[i] = scores.filter(score => score > best).length
  }
  const shares = (ranks: number[]) =>
    RANKS.map(k => percent(ranks.filter(rank => rank < k).length / ranks.length))
  return { textToImage: shares(textRanks), imageToText: shares(imageRanks) }
}

/** Percent of images whose most similar class is theirs. */
export function accuracy(images: Float32Array[], classes: Float32Array[], labels: number[]): number {
  const right = images.filter((image, i) => {
    const scores = classes.map(vector => dot(image, vector))
    return scores.indexOf(Math.max(...scores)) === labels[i]
  })
  return percent(right.length / images.length)
}

/** Area under the ROC curve in percent: how often a positive outscores a negative (ties count half). */
export function areaUnderCurve(scores: number[], positive: boolean[]): number {
  const negatives = scores.filter((_, i) => !positive[i])
  const positives = scores.filter((_, i) => positive[i])
  const wins = positives.reduce(
    (sum, score) =>
      sum + negatives.reduce((n, other) => n + (score > other ? 1 : score === other ? 0.5 : 0), 0),
    0,
  )
  return percent(wins / (positives.length * negatives.length))
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10
}
