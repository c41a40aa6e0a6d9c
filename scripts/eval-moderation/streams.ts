import { dot } from '@sightline/core'
import {
  BACKGROUND,
  BackgroundEstimate,
  type BackgroundSettings,
} from '@sightline/core/moderation/background.js'
import { calibratedScore } from '@sightline/core/moderation/judge-rule.js'
import { logitOf, probability } from '@sightline/core/moderation/rule-logit.js'

/** A photo under one rule. */
export interface JudgedPhoto {
  readonly vector: Float32Array
  readonly similarity: number
  /** Raw log-odds, `ruleLogit`. */
  readonly logit: number
  readonly positive: boolean
}

/** What a simulated camera sees, in time order. */
export interface CameraStream {
  readonly fold: 0 | 1
  readonly frames: readonly JudgedPhoto[]
}

export const CAMERAS = 24
export const FRAMES = 1440
export const FRAME_EVERY_MS = 10_000
/** Photos that a camera sees most of the time. */
export const VIEW = 25
export const EVENT_SHARE = 0.05
/** Something that is neither the camera's usual picture nor what the rule looks for. */
export const VISITOR_SHARE = 0.05
/** Frames that an event or a visitor lasts. */
const RUN = 5

/**
 * Cameras made of photos. Each has a view: a photo at random that does not show what the rule looks for, and the ones most
 * like it. Into the view come runs of frames of positives (events) and of any other negatives (visitors). Cameras of one
 * fold share no photo with those of the other, so that what is fitted on one is tested on the other.
 */
export function simulateCameras(photos: readonly JudgedPhoto[], random: () => number): CameraStream[] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const shuffled = photos.map(photo => ({ photo, key: random() })).sort((a, b) => a.key - b.key)
  const folds = [0, 1].map(fold => {
    const mine = shuffled.filter((_, i) => i % 2 === fold).map(({ photo }) => photo)
    return {
      events: mine.filter(({ positive }) => positive),
      others: mine.filter(({ positive }) => !positive),
    }
  })
  return Array.from({ length: CAMERAS }, (_, camera) => {
    const fold = (camera % 2) as 0 | 1
    const { events, others } = folds[fold]!
    const view = nearest(pick(others).vector, others, VIEW)
    const frames: JudgedPhoto[] = []
    while (frames.length < FRAMES) {
      const chance = random()
      const from = chance < EVENT_SHARE ? events : chance < EVENT_SHARE + VISITOR_SHARE ? others : view
      for (let i = 0; i < RUN && frames.length < FRAMES; i++) frames.push(pick(from))
    }
    return { fold, frames }
  })
}

export interface Gates {
  readonly minSimilarity: number
  readonly off: number
}

/** A background correction; with `raiseNats` one that also adds up to so much for cameras below the reference. */
export interface Correction extends BackgroundSettings {
  readonly raiseNats?: number
}

/** The logit of every frame with the camera's background taken off as an edge does it, frame by frame. */
export function correctedLogits(
  frames: readonly JudgedPhoto[],
  { minSimilarity, off }: Gates,
  { raiseNats = 0, ...settings }: Correction = BACKGROUND,
): number[] {
  const background = new BackgroundEstimate(undefined, {
    ...settings,
    quietScore: probability(logitOf(settings.quietScore) - raiseNats),
    maxOffsetNats: settings.maxOffsetNats + raiseNats,
  })
  return frames.map(({ logit, similarity }) => {
    const reached = similarity >= minSimilarity
    const offset = background.save().level === null ? 0 : background.offset - raiseNats
    const score = reached ? calibratedScore({}, logit, offset) : 0
    background.observe({
      logit: reached ? logit : undefined,
      elapsedMs: FRAME_EVERY_MS,
      eventful: score >= off,
    })
    return logit - offset
  })
}

function nearest(to: Float32Array, among: readonly JudgedPhoto[], count: number): JudgedPhoto[] {
  return among
    .map(photo => ({ photo, similarity: dot(to, photo.vector) }))
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, count)
    .map(({ photo }) => photo)
}
