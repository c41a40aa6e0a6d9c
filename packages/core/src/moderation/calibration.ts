import type { Calibration } from '../protocol/rules.ts'
import { clamp, crossEntropy, probability } from './rule-logit.ts'

/** One reviewed frame. */
export interface Label {
  /** Of the rule for this frame: log-odds in nats, corrected by the background, not yet calibrated. */
  readonly logit: number
  /** Whether the reviewer said that it shows what the rule looks for. */
  readonly positive: boolean
}

/** Measured: ten labels make the calibration error larger, twenty make it smaller (docs/moderation.md). */
export const MIN_LABELS = 20
/** Of each kind. */
export const MIN_LABELS_PER_CLASS = 5

const MAX_ITERATIONS = 100
const GRADIENT_TOLERANCE = 1e-5
/** Keeps the Hessian invertible (Lin, Lin, Weng 2007, algorithm 1). */
const RIDGE = 1e-12
const MIN_STEP = 1e-10

/**
 * Platt scaling once there are labels enough; undefined when they are too few, or say that the rule ranks backwards. Not
 * isotonic regression, which never came out ahead of it on up to a thousand labels (docs/moderation.md).
 */
export function fitCalibration(labels: readonly Label[]): Calibration | undefined {
  const positives = labels.filter(({ positive }) => positive).length
  if (labels.length < MIN_LABELS) return undefined
  if (Math.min(positives, labels.length - positives) < MIN_LABELS_PER_CLASS) return undefined
  return fitPlatt(labels)
}

/** The probability that a calibrated rule gives to a frame with this logit. Never falls when the logit grows. */
export function applyCalibration(calibration: Calibration | undefined, logit: number): number {
  if (calibration === undefined) return probability(logit)
  if (calibration.method === 'platt') return probability(calibration.a * logit + calibration.b)
  return interpolate(calibration.points, logit)
}

/**
 * Platt scaling: P(positive | z) = 1 / (1 + exp(-(a z + b))), with a and b of the greatest likelihood under the
 * regularised targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0 (Platt 1999), found by Newton's method with
 * backtracking (Lin, Lin, Weng 2007, "A note on Platt's probabilistic outputs for support vector machines", whose A and B
 * are -a and -b). The targets keep separable labels from giving an endless slope.
 *
 * @returns undefined without labels of both kinds, or when a > 0 does not fit: a calibration never turns a ranking round.
 */
export function fitPlatt(labels: readonly Label[]): Extract<Calibration, { method: 'platt' }> | undefined {
  const positives = labels.filter(({ positive }) => positive).length
  const negatives = labels.length - positives
  if (positives === 0 || negatives === 0) return undefined
  const high = (positives + 1) / (positives + 2)
  const low = 1 / (negatives + 2)
  const points = labels.map(({ logit, positive }) => ({ z: logit, target: positive ? high : low }))

  let a = 0
  let b = Math.log((positives + 1) / (negatives + 1))
  let loss = totalLoss(points, a, b)
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    let [haa, hab, hbb, ga, gb] = [RIDGE, 0, RIDGE, 0, 0]
    for (const { z, target } of points) {
      const p = probability(a * z + b)
      const weight = p * (1 - p)
      haa += z * z * weight
      hab += z * weight
      hbb += weight
      ga += z * (p - target)
      gb += p - target
    }
    if (Math.abs(ga) < GRADIENT_TOLERANCE && Math.abs(gb) < GRADIENT_TOLERANCE) break
    const determinant = haa * hbb - hab * hab
    const da = -(hbb * ga - hab * gb) / determinant
    const db = -(haa * gb - hab * ga) / determinant
    const slope = ga * da + gb * db
    let step = 1
    let next = totalLoss(points, a + da, b + db)
    while (next >= loss + 1e-4 * step * slope && step >= MIN_STEP) {
      step /= 2
      next = totalLoss(points, a + step * da, b + step * db)
    }
    if (step < MIN_STEP) break
    a += step * da
    b += step * db
    loss = next
  }
  return a > 0 && Number.isFinite(a) && Number.isFinite(b) ? { method: 'platt', a, b } : undefined
}

function totalLoss(points: readonly { z: number; target: number }[], a: number, b: number): number {
  return points.reduce((sum, { z, target }) => sum + crossEntropy(a * z + b, target), 0)
}

interface Block {
  /** Sum of the block's logits, its positives and its labels. */
  logits: number
  positives: number
  count: number
}

/**
 * Isotonic regression (Zadrozny & Elkan 2002) by pooling adjacent violators: the non-decreasing step function nearest to
 * the labels in least squares. A block becomes one point, its mean logit and its share of positives by Laplace's rule
 * of succession, (N+ + 1) / (N + 2), since a few labels never prove a probability of 0 or 1; between points the curve is
 * straight, outside them flat.
 *
 * @returns undefined without labels of both kinds.
 */
export function fitIsotonic(
  labels: readonly Label[],
): Extract<Calibration, { method: 'isotonic' }> | undefined {
  const positives = labels.filter(({ positive }) => positive).length
  if (positives === 0 || positives === labels.length) return undefined
  const blocks: Block[] = []
  for (const block of byLogit(labels)) {
    let last: Block = block
    for (let before = blocks.at(-1); before !== undefined && violates(before, last); before = blocks.at(-1)) {
      last = merged(before, last)
      blocks.pop()
    }
    blocks.push(last)
  }
  let highest = 0
  const points = blocks.map(({ logits, positives: hits, count }): [number, number] => {
    // Laplace's rule moves a small block further than a large one, which may turn neighbours round again.
    highest = Math.max(highest, (hits + 1) / (count + 2))
    return [logits / count, highest]
  })
  return { method: 'isotonic', points: thinned(points) }
}

/** Labels of one logit are one block from the start: a function has one value there. */
function byLogit(labels: readonly Label[]): Block[] {
  const blocks: Block[] = []
  let logit = Number.NaN
  for (const label of [...labels].sort((x, y) => x.logit - y.logit)) {
    const one = { logits: label.logit, positives: Number(label.positive), count: 1 }
    const last = blocks.at(-1)
    if (last !== undefined && label.logit === logit) blocks[blocks.length - 1] = merged(last, one)
    else blocks.push(one)
    logit = label.logit
  }
  return blocks
}

function violates(before: Block, after: Block): boolean {
  return before.positives * after.count >= after.positives * before.count
}

function merged(a: Block, b: Block): Block {
  return { logits: a.logits + b.logits, positives: a.positives + b.positives, count: a.count + b.count }
}

/** `Calibration` holds no more; PAVA of thousands of labels gives some dozens. */
const MAX_POINTS = 256

function thinned(points: [number, number][]): [number, number][] {
  if (points.length <= MAX_POINTS) return points
  const step = (points.length - 1) / (MAX_POINTS - 1)
  return Array.from({ length: MAX_POINTS }, (_, i) => points[Math.round(i * step)]!)
}

function interpolate(points: readonly (readonly [number, number])[], logit: number): number {
  const after = points.findIndex(([at]) => at >= logit)
  if (after <= 0) return points.at(after)![1]
  const [x0, y0] = points[after - 1]!
  const [x1, y1] = points[after]!
  return clamp(y0 + ((y1 - y0) * (logit - x0)) / (x1 - x0), y0, y1)
}
