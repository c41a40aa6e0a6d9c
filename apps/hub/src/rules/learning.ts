import { type Calibration, type CompiledRule, dot, dotRow, type RuleBundle } from '@sightline/core'
import {
  applyCalibration,
  fitCalibration,
  fitIsotonic,
  fitPlatt,
} from '@sightline/core/moderation/calibration.js'
import { expectedCalibrationError } from '@sightline/core/moderation/quality.js'
import { ruleEvidence } from '@sightline/core/moderation/rule-evidence.js'
import { clamp, MAX_LOGIT } from '@sightline/core/moderation/rule-logit.js'

/** Reviewed frames below which nothing is learnt, and how many of them must be of each kind. */
export const MIN_LESSON = 10
export const MIN_LESSON_PER_CLASS = 3
/** The newest ones; a rule has changed since, and so has the world. */
export const MAX_LESSON = 2000
/** Parts of the cross-validation (Kohavi 1995). */
const FOLDS = 5

/** A reviewed frame, as the rule sees it without anything learnt. */
export interface Sample {
  /** L2-normalised. */
  readonly vector: Float32Array
  /** `ruleEvidence`, in nats. */
  readonly logit: number
  readonly positive: boolean
}

/** Adds `scale` times the cosine with `vector`, plus `bias`, to a rule's log-odds. `vector` is L2-normalised. */
export interface Head {
  readonly vector: Float32Array
  readonly scale: number
  readonly bias: number
}

/** What reviewers' labels make of a rule; what is absent is not worth having. */
export interface Learnt {
  readonly head?: Head | undefined
  readonly calibration?: Calibration | undefined
}

/** Learns from frames, oldest first; the same frames must teach the same. */
export type Teach = (frames: readonly Sample[]) => Learnt | Promise<Learnt>

export interface Lesson extends Learnt {
  readonly report: LessonReport
}

export interface LessonReport {
  /** Reviewed frames of this model whose gate the rule reaches. */
  readonly labels: number
  readonly positives: number
  readonly calibration: Calibration['method'] | null
  readonly head: boolean
  /** Expected calibration error on these frames, without anything learnt and, by cross-validation, with it. */
  readonly eceBefore: number | null
  readonly eceAfter: number | null
}

/** Without a head. */
export const calibrate: Teach = frames => ({ calibration: fitCalibration(frames) })

/** The reviewed frames that the rule's gate lets through: of the others the score is 0 whatever is learnt. */
export function samplesOf(
  rule: CompiledRule,
  context: Pick<RuleBundle, 'neutral' | 'logitScale'>,
  matrix: Float32Array,
  frames: readonly { readonly vector: Float32Array; readonly positive: boolean }[],
): Sample[] {
  const { head: _, calibration: __, ...plain } = rule
  return frames.flatMap(({ vector, positive }) => {
    const { logit, reached } = ruleEvidence(plain, context, row => dotRow(matrix, row, vector))
    return reached ? [{ vector, logit, positive }] : []
  })
}

/** What the samples, oldest first, make of a rule, and what that is worth. */
export async function learn(samples: readonly Sample[], teach: Teach = calibrate): Promise<Lesson> {
  const positives = samples.filter(({ positive }) => positive).length
  const labels = { labels: samples.length, positives }
  const eceBefore = samples.length === 0 ? null : errorOf(samples, () => ({}))
  const few =
    samples.length < MIN_LESSON || Math.min(positives, samples.length - positives) < MIN_LESSON_PER_CLASS
  const learnt: Learnt = few ? {} : await teach(samples)
  const { head, calibration } = learnt
  const isNothing = head === undefined && calibration === undefined
  return {
    ...learnt,
    report: {
      ...labels,
      calibration: calibration?.method ?? null,
      head: head !== undefined,
      eceBefore,
      eceAfter: isNothing ? null : await crossValidated(samples, learnt, teach),
    },
  }
}

/** Each part is judged by what the others teach, in the way that all of them taught. */
async function crossValidated(samples: readonly Sample[], { head, calibration }: Learnt, teach: Teach) {
  const folds = foldsOf(samples)
  const refit = calibration?.method === 'isotonic' ? fitIsotonic : fitPlatt
  const byFold: Learnt[] = []
  for (let fold = 0; fold < FOLDS; fold++) {
    const others = samples.filter((_, i) => folds[i] !== fold)
    // A calibration alone is refitted as it is: the others may be fewer than a calibration is begun with.
    byFold.push(head === undefined ? { calibration: refit(others) } : await teach(others))
    await new Promise(resolve => setImmediate(resolve))
  }
  return errorOf(samples, i => byFold[folds[i]!]!)
}

function errorOf(samples: readonly Sample[], learntAt: (i: number) => Learnt): number {
  return expectedCalibrationError(
    samples.map(({ vector, logit, positive }, i) => {
      const { head, calibration } = learntAt(i)
      const word = head === undefined ? 0 : head.scale * dot(head.vector, vector) + head.bias
      return { score: applyCalibration(calibration, clamp(logit + word, -MAX_LOGIT, MAX_LOGIT)), positive }
    }),
  )
}

/** Each class dealt out in turn, so that every part has its share of both. */
function foldsOf(samples: readonly Sample[]): number[] {
  const dealt = { true: 0, false: 0 }
  return samples.map(({ positive }) => dealt[`${positive}`]++ % FOLDS)
}
