/** A score and what reviewers, or labelled photos, say of it. */
export interface Scored {
  /** Any number of which more means surer; a probability where calibration is measured. */
  readonly score: number
  readonly positive: boolean
}

export interface Detection {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** At `score >= threshold`. Without a detection precision is 1 and F1 is 0; without a positive recall is 1. */
export function detection(scored: readonly Scored[], threshold: number): Detection {
  let [hits, alarms, positives] = [0, 0, 0]
  for (const { score, positive } of scored) {
    const fired = score >= threshold
    hits += Number(fired && positive)
    alarms += Number(fired)
    positives += Number(positive)
  }
  return {
    precision: alarms === 0 ? 1 : hits / alarms,
    recall: positives === 0 ? 1 : hits / positives,
    f1: alarms + positives === 0 ? 1 : (2 * hits) / (alarms + positives),
  }
}

/**
 * Area under the ROC curve: the chance that a positive scores above a negative, ties counting half (Hanley & McNeil
 * 1982). NaN without scores of both kinds.
 */
export function rocAuc(scored: readonly Scored[]): number {
  const groups = descending(scored)
  let [above, ranked, negatives] = [0, 0, 0]
  for (const group of groups) {
    ranked += group.negatives * (above + group.positives / 2)
    above += group.positives
    negatives += group.negatives
  }
  return ranked / (above * negatives)
}

/**
 * Area under the precision-recall curve as average precision: the sum over thresholds of precision times the recall
 * gained, without interpolation (Davis & Goadrich 2006 on why not). NaN without a positive.
 */
export function prAuc(scored: readonly Scored[]): number {
  let [hits, alarms, area] = [0, 0, 0]
  for (const { positives, negatives } of descending(scored)) {
    hits += positives
    alarms += positives + negatives
    area += positives * (hits / alarms)
  }
  return area / hits
}

/**
 * Expected calibration error (Naeini, Cooper, Hauskrecht 2015): the mean over equally wide bins, weighted by their
 * frames, of how far the mean score lies from the share of positives. Scores must be probabilities.
 */
export function expectedCalibrationError(scored: readonly Scored[], bins = 10): number {
  const sums = Array.from({ length: bins }, () => ({ score: 0, positives: 0 }))
  for (const { score, positive } of scored) {
    const bin = sums[Math.min(bins - 1, Math.floor(score * bins))]!
    bin.score += score
    bin.positives += Number(positive)
  }
  return sums.reduce((sum, bin) => sum + Math.abs(bin.score - bin.positives), 0) / scored.length
}

/** Mean squared error of the probabilities (Brier 1950). */
export function brierScore(scored: readonly Scored[]): number {
  return scored.reduce((sum, { score, positive }) => sum + (score - Number(positive)) ** 2, 0) / scored.length
}

/** The threshold of the best F1, and that F1; -Infinity and 0 without a positive. */
export function bestF1(scored: readonly Scored[]): { readonly threshold: number; readonly f1: number } {
  const total = scored.filter(({ positive }) => positive).length
  let best = { threshold: Number.NEGATIVE_INFINITY, f1: 0 }
  let [hits, alarms] = [0, 0]
  for (const { score, positives, negatives } of descending(scored)) {
    hits += positives
    alarms += positives + negatives
    const f1 = (2 * hits) / (alarms + total)
    if (f1 > best.f1) best = { threshold: score, f1 }
  }
  return best
}

/** Equal scores together, highest first. */
function descending(scored: readonly Scored[]): { score: number; positives: number; negatives: number }[] {
  const groups: { score: number; positives: number; negatives: number }[] = []
  for (const { score, positive } of [...scored].sort((a, b) => b.score - a.score)) {
    const last = groups.at(-1)
    const group = last?.score === score ? last : { score, positives: 0, negatives: 0 }
    if (group !== last) groups.push(group)
    if (positive) group.positives++
    else group.negatives++
  }
  return groups
}
