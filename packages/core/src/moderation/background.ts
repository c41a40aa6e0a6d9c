import { clamp, logitOf } from './rule-logit.ts'

/** Every number is argued for in docs/moderation.md. Logits are natural log-odds ("nats"). */
export interface BackgroundSettings {
  /** Frames that the first estimate is the median of; nothing is corrected before. */
  readonly warmUpFrames: number
  /** Time between two of them, so that they do not all show one moment. */
  readonly warmUpSpacingMs: number
  /** Of the exponential memory. */
  readonly timeConstantMs: number
  /** No frame stands for more time than this: an outage must not make one frame the background. */
  readonly maxStepMs: number
  /** How far from the estimate a frame still pulls in proportion; beyond it pulls no harder (Huber 1964). */
  readonly huberNats: number
  /** A camera whose usual frame scores no more than this needs no correction. */
  readonly quietScore: number
  /** Taken off at most: an event that is sure enough fires before any background. */
  readonly maxOffsetNats: number
  /** How long a score may stay at `off` or above before it counts as background. */
  readonly maxFrozenMs: number
  /** Of the time below `off`, what is given back to that allowance. */
  readonly thaw: number
}

export const BACKGROUND: BackgroundSettings = {
  warmUpFrames: 32,
  warmUpSpacingMs: 10_000,
  timeConstantMs: 3_600_000,
  maxStepMs: 60_000,
  huberNats: 2,
  quietScore: 0.1,
  maxOffsetNats: 3,
  maxFrozenMs: 600_000,
  thaw: 0.05,
}

export interface BackgroundFrame {
  /** Raw log-odds of the rule for this frame; undefined when its gate, `minSimilarity`, was not reached. */
  readonly logit: number | undefined
  /** Since the camera's frame before. */
  readonly elapsedMs: number
  /** Whether the corrected score is at the rule's `off` or above: this may be the event itself. */
  readonly eventful: boolean
}

/** What is kept of an estimate over a restart. */
export interface SavedBackground {
  /** Logits of the warm-up so far; empty once there is a level. */
  readonly warmUp: readonly number[]
  readonly waitedMs: number
  /** null during the warm-up. */
  readonly level: number | null
  readonly frozenMs: number
}

/**
 * What a rule's logit usually is on one camera: the median of spaced first frames, then a running mean with bounded
 * influence and exponential memory,
 *
 *   level += (1 - exp(-elapsed / T)) clamp(z - level, -H, H)
 *
 * that stands still while the rule's own event may be in view. What the level exceeds that of a quiet camera by is taken
 * off the logit before it becomes a score, up to a bound; a background never adds to a score.
 */
export class BackgroundEstimate {
  readonly #settings: BackgroundSettings
  readonly #quietLevel: number
  /** A level far out of the range in which it matters would take long to come back. */
  readonly #lowest: number
  readonly #highest: number
  #warmUp: number[]
  #waitedMs: number
  /** NaN during the warm-up. */
  #level: number
  #frozenMs: number

  constructor(saved?: SavedBackground, settings: BackgroundSettings = BACKGROUND) {
    this.#settings = settings
    this.#quietLevel = logitOf(settings.quietScore)
    this.#lowest = this.#quietLevel - settings.huberNats
    this.#highest = this.#quietLevel + settings.maxOffsetNats + settings.huberNats
    this.#warmUp = [...(saved?.warmUp ?? [])].slice(0, settings.warmUpFrames - 1)
    // The first frame need not wait.
    this.#waitedMs = saved?.waitedMs ?? settings.warmUpSpacingMs
    this.#level = this.#bounded(saved?.level ?? Number.NaN)
    this.#frozenMs = saved?.frozenMs ?? 0
  }

  /** Of a rule that did not reach its gate on a camera that has been watched for longer than the warm-up. */
  static quiet(settings: BackgroundSettings = BACKGROUND): BackgroundEstimate {
    const saved = { warmUp: [], waitedMs: 0, level: Number.NEGATIVE_INFINITY, frozenMs: 0 }
    return new BackgroundEstimate(saved, settings)
  }

  /** Whether `quiet()` would still be quiet after a frame with this logit: nothing is gained by keeping it. */
  static staysQuiet(logit: number, { quietScore, huberNats }: BackgroundSettings = BACKGROUND): boolean {
    return logit <= logitOf(quietScore) - huberNats
  }

  /** Nats to take off the rule's logit on this camera, 0 and more; 0 during the warm-up. */
  get offset(): number {
    if (Number.isNaN(this.#level)) return 0
    return clamp(this.#level - this.#quietLevel, 0, this.#settings.maxOffsetNats)
  }

  /** Whether forgetting it would change nothing: `quiet()` stands for it. */
  get isQuiet(): boolean {
    return this.#level <= this.#lowest && this.#frozenMs === 0
  }

  observe({ logit, elapsedMs, eventful }: BackgroundFrame): void {
    const { timeConstantMs, maxStepMs, huberNats, maxFrozenMs, thaw } = this.#settings
    const stepMs = clamp(elapsedMs, 0, maxStepMs)
    if (eventful && this.#frozenMs + stepMs <= maxFrozenMs) {
      this.#frozenMs += stepMs
      return
    }
    if (!eventful) this.#frozenMs = Math.max(0, this.#frozenMs - thaw * stepMs)
    if (Number.isNaN(this.#level)) {
      this.#begin(logit, stepMs)
      return
    }
    const share = 1 - Math.exp(-stepMs / timeConstantMs)
    const pull = clamp((logit ?? Number.NEGATIVE_INFINITY) - this.#level, -huberNats, huberNats)
    this.#level = this.#bounded(this.#level + share * pull)
  }

  save(): SavedBackground {
    return {
      warmUp: [...this.#warmUp],
      waitedMs: this.#waitedMs,
      level: Number.isNaN(this.#level) ? null : this.#level,
      frozenMs: this.#frozenMs,
    }
  }

  #begin(logit: number | undefined, stepMs: number): void {
    const { warmUpFrames, warmUpSpacingMs } = this.#settings
    this.#waitedMs += stepMs
    if (this.#waitedMs < warmUpSpacingMs) return
    this.#waitedMs = 0
    this.#warmUp.push(this.#bounded(logit ?? Number.NEGATIVE_INFINITY))
    if (this.#warmUp.length < warmUpFrames) return
    const sorted = this.#warmUp.sort((x, y) => x - y)
    // Of an even number the lower of the two in the middle: in doubt nothing is taken off.
    this.#level = sorted[Math.ceil(sorted.length / 2) - 1]!
    this.#warmUp = []
  }

  #bounded(level: number): number {
    return clamp(level, this.#lowest, this.#highest)
  }
}
