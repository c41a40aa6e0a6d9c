/** Smallest and largest real value that the quantised form can express. */
export interface Range {
  readonly min: number
  readonly max: number
}

const BINS = 2048

/**
 * Distribution of a tensor's values seen so far, in one pass and constant memory: 2048 bins on each side of zero. When a
 * value falls outside, the covered range doubles and neighbouring bins merge.
 */
export class Histogram {
  min = Infinity
  max = -Infinity
  count = 0
  private limit = 0
  /** Index BINS + k holds values in [k, k + 1) * limit / BINS. */
  private bins = new Float64Array(2 * BINS)

  add(values: Float32Array): void {
    let min = this.min
    let max = this.max
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!
      if (value < min) min = value
      if (value > max) max = value
    }
    this.min = min
    this.max = max
    this.cover(Math.max(Math.abs(min), Math.abs(max)))
    const factor = this.limit > 0 ? BINS / this.limit : 0
    const bins = this.bins
    for (let at = 0; at < values.length; at++) {
      let bin = BINS + Math.floor(values[at]! * factor)
      if (bin > 2 * BINS - 1) bin = 2 * BINS - 1
      else if (!(bin >= 0)) bin = 0
      bins[bin]!++
    }
    this.count += values.length
  }

  private cover(peak: number): void {
    if (!Number.isFinite(peak) || peak <= this.limit) return
    if (this.limit === 0) {
      this.limit = peak
      const zeros = this.bins[BINS]!
      this.bins.fill(0)
      this.bins[BINS] = zeros
      return
    }
    while (this.limit < peak) {
      const merged = new Float64Array(2 * BINS)
      for (let bin = 0; bin < 2 * BINS; bin++) merged[BINS + ((bin - BINS) >> 1)]! += this.bins[bin]!
      this.bins = merged
      this.limit *= 2
    }
  }

  minMax(): Range {
    return this.count === 0 ? { min: 0, max: 0 } : { min: this.min, max: this.max }
  }

  /** Cuts half of the remaining share off each end; `percentile` is 0..100. */
  percentile(percentile: number): Range {
    const cut = ((1 - percentile / 100) / 2) * this.count
    const width = this.limit / BINS
    let low = 0
    for (let sum = 0; low < 2 * BINS && sum + this.bins[low]! <= cut; low++) sum += this.bins[low]!
    let high = 2 * BINS - 1
    for (let sum = 0; high > low && sum + this.bins[high]! <= cut; high--) sum += this.bins[high]!
    return {
      min: Math.max(this.min, (low - BINS) * width),
      max: Math.min(this.max, (high + 1 - BINS) * width),
    }
  }

  /**
   * The clipping threshold that loses least information (Migacz, "8-bit inference with TensorRT", GTC 2017): among all
   * thresholds, the one whose `levels`-step quantisation has the smallest KL divergence from the clipped distribution.
   */
  entropy(levels: number): Range {
    const size = new Float64Array(BINS)
    for (let bin = 0; bin < BINS; bin++) size[bin] = this.bins[BINS + bin]! + this.bins[BINS - 1 - bin]!
    // Half of all values behind a ReLU are exactly zero and cost nothing: as they are, they would outvote the rest.
    size[0] = size[1]!
    const total = size.reduce((sum, value) => sum + value, 0)
    let best = BINS
    let bestDivergence = Infinity
    let below = size.subarray(0, levels).reduce((sum, value) => sum + value, 0)
    for (let bins = levels; bins <= BINS; bins++) {
      const divergence = klDivergence(size, bins, levels, total - below)
      if (divergence < bestDivergence) [best, bestDivergence] = [bins, divergence]
      if (bins < BINS) below += size[bins]!
    }
    const threshold = (best * this.limit) / BINS
    return { min: Math.max(this.min, -threshold), max: Math.min(this.max, threshold) }
  }
}

/** KL(P || Q): P is the first `bins` bins with everything beyond added to the last, Q its `levels`-step rendering. */
function klDivergence(size: Float64Array, bins: number, levels: number, outliers: number): number {
  let pSum = outliers
  let qSum = 0
  for (let bin = 0; bin < bins; bin++) {
    pSum += size[bin]!
    qSum += size[bin]!
  }
  if (qSum === 0) return Infinity
  let divergence = 0
  for (let level = 0; level < levels; level++) {
    const start = Math.floor((level * bins) / levels)
    const end = Math.floor(((level + 1) * bins) / levels)
    let sum = 0
    let filled = 0
    for (let bin = start; bin < end; bin++) {
      sum += size[bin]!
      if (size[bin]! > 0) filled++
    }
    for (let bin = start; bin < end; bin++) {
      const p = (size[bin]! + (bin === bins - 1 ? outliers : 0)) / pSum
      if (p === 0) continue
      const q = filled > 0 && size[bin]! > 0 ? sum / filled / qSum : 0
      // A bin that only outliers fill has no rendering at all: a large finite cost keeps the search going.
      divergence += q > 0 ? p * Math.log(p / q) : p * 20
    }
  }
  return divergence
}
