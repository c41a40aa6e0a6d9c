import { dot } from '@sightline/core/vector.js'

/** Bins of equal content in the reference; ten are usual for the index (Siddiqi 2006, Credit Risk Scorecards). */
const BINS = 10
/** An empty bin would make the index infinite. */
const LEAST_SHARE = 1e-4

/**
 * Population stability index between two samples, by deciles of the reference: sum of (p - q) ln(p / q). By custom below
 * 0.1 nothing has changed, from 0.25 on much has.
 */
export function stabilityIndex(reference: readonly number[], recent: readonly number[]): number {
  const sorted = [...reference].sort((a, b) => a - b)
  const edges = Array.from(
    { length: BINS - 1 },
    (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / BINS)]!,
  )
  const [expected, actual] = [sharesOf(reference, edges), sharesOf(recent, edges)]
  return actual.reduce((sum, share, i) => sum + (share - expected[i]!) * Math.log(share / expected[i]!), 0)
}

function sharesOf(values: readonly number[], edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length + 1).fill(0)
  for (const value of values) counts[edges.filter(edge => value >= edge).length]!++
  return counts.map(count => Math.max(LEAST_SHARE, count / values.length))
}

/** Cosine between the means of two sets of vectors; 1 when they point the same way. */
export function meanCosine(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const [meanA, meanB] = [meanOf(a), meanOf(b)]
  const norms = Math.sqrt(dot(meanA, meanA) * dot(meanB, meanB))
  return norms === 0 ? 0 : dot(meanA, meanB) / norms
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]!.length)
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]! / vectors.length
  return sum
}

/** 1 - cosine to the nearest of `reference`, for each vector; itself left out. */
export function nearestDistances(
  vectors: readonly Float32Array[],
  reference: readonly Float32Array[],
): number[] {
  return vectors.map(vector => {
    let nearest = -1
    for (const other of reference) if (other !== vector) nearest = Math.max(nearest, dot(vector, other))
    return 1 - nearest
  })
}

export interface Distribution {
  readonly min: number
  readonly p5: number
  readonly median: number
  readonly p95: number
  readonly max: number
}

export function distributionOf(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!
  return { min: at(0), p5: at(0.05), median: at(0.5), p95: at(0.95), max: at(1) }
}
