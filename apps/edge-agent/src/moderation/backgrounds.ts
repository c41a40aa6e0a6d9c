import { readFile } from 'node:fs/promises'
import { fault, type Log, messageOf } from '@sightline/core'
import { BACKGROUND, BackgroundEstimate } from '@sightline/core/moderation/background.js'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { writeDurably } from '../durable-file.ts'
import type { BackgroundOffsets, Judgement } from './scorer.ts'

const Time = Type.Number({ minimum: 0 })
const Estimate = Type.Object({
  rule: Type.String(),
  key: Type.String(),
  warmUp: Type.Array(Type.Number(), { maxItems: 64 }),
  waitedMs: Time,
  level: Type.Union([Type.Number(), Type.Null()]),
  frozenMs: Time,
})
const SavedBackgrounds = Type.Object({
  format: Type.Literal(1),
  /** When each rule key was first in force, by frame time. */
  since: Type.Array(Type.Tuple([Type.String(), Time])),
  cameras: Type.Array(
    Type.Object({ camera: Type.String(), since: Time, at: Time, estimates: Type.Array(Estimate) }),
  ),
})
type SavedBackgrounds = Static<typeof SavedBackgrounds>

/** Some ten megabytes; 1,000 rules on 16 cameras would all have to be noisy to need more. */
const MAX_ESTIMATES = 20_000
/** A power cut costs no more learning than this; flash memory lives longer for it. */
const SAVE_EVERY_MS = 300_000
/** A camera without frames for so long is forgotten. */
const FORGET_AFTER_MS = 30 * 86_400_000
/** A rule that has been silent on a camera for so long has shown that the camera is quiet. */
const WATCHED_MS = BACKGROUND.warmUpFrames * BACKGROUND.warmUpSpacingMs

export interface BackgroundFrameReport {
  readonly camera: string
  /** Frame time, milliseconds since the epoch. */
  readonly at: number
  readonly judgements: readonly Judgement[]
  /** Of the scorer that made them. */
  readonly keys: ReadonlyMap<string, string>
}

interface CameraBackground {
  /** First frame. */
  readonly since: number
  /** Newest frame. */
  at: number
  /** By rule id. A rule without one is quiet here, or has never reached its gate. */
  readonly estimates: Map<string, Learning>
}

interface Learning {
  readonly key: string
  readonly estimate: BackgroundEstimate
  /** Number of the last frame in which the rule reached its gate. */
  frame: number
}

/**
 * What each rule usually says on each camera, learnt frame by frame and kept on disk. Only pairs of camera and rule whose
 * usual picture comes near the rule take memory: one that is quiet needs none to be known as such.
 */
export class Backgrounds implements BackgroundOffsets {
  readonly #path: string
  readonly #log: Log
  readonly #cameras = new Map<string, CameraBackground>()
  readonly #since = new Map<string, number>()
  #keys: ReadonlyMap<string, string> = new Map()
  #count = 0
  #frame = 0
  #savedAt: number | undefined
  #saving: Promise<void> = Promise.resolve()
  #changed = false

  constructor({ path, log }: { path: string; log: Log }) {
    this.#path = path
    this.#log = log
  }

  /** Pairs of camera and rule that take memory. */
  get size(): number {
    return this.#count
  }

  /** Takes up what was saved. A damaged file costs what was learnt, never the agent. */
  async load(): Promise<void> {
    try {
      const saved: unknown = JSON.parse(await readFile(this.#path, 'utf8'))
      if (!Value.Check(SavedBackgrounds, saved)) throw fault('STORE_FAILED', `${this.#path} is damaged`)
      this.#restore(saved)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      this.#log.warn({ reason: messageOf(error) }, 'saved backgrounds not usable; learning them again')
    }
  }

  /** From now on these rules are in force; what was learnt of others, or of their former prompts, is forgotten. */
  adopt(keys: ReadonlyMap<string, string>): void {
    this.#keys = keys
    const inForce = new Set(keys.values())
    for (const key of this.#since.keys()) if (!inForce.has(key)) this.#since.delete(key)
    for (const { estimates } of this.#cameras.values()) {
      for (const [rule, { key }] of estimates) if (keys.get(rule) !== key) this.#drop(estimates, rule)
    }
  }

  offset(camera: string, rule: string): number {
    return this.#cameras.get(camera)?.estimates.get(rule)?.estimate.offset ?? 0
  }

  /** Learns from a frame after it was judged. Frames judged by rules that are no longer in force teach nothing. */
  observe({ camera, at, judgements, keys }: BackgroundFrameReport): void {
    if (keys !== this.#keys) return
    const known = this.#cameraOf(camera, at)
    const elapsedMs = at - known.at
    known.at = at
    this.#frame++
    for (const judgement of judgements) this.#learn(known, judgement, elapsedMs)
    for (const [rule, learning] of known.estimates) {
      if (learning.frame === this.#frame) continue
      learning.estimate.observe({ logit: undefined, elapsedMs, eventful: false })
      if (learning.estimate.isQuiet) this.#drop(known.estimates, rule)
    }
    this.#changed = true
    this.#savedAt ??= at
    if (Math.abs(at - this.#savedAt) >= SAVE_EVERY_MS) {
      this.#savedAt = at
      void this.save()
    }
  }

  /** From a rule that reached its gate. Runs for hundreds of rules a frame: what would be quiet is not even begun. */
  #learn(known: CameraBackground, judgement: Judgement, elapsedMs: number): void {
    const { logit, rule } = judgement
    const eventful = isEventful(judgement)
    let learning = known.estimates.get(rule.id)
    if (learning === undefined) {
      const key = this.#keys.get(rule.id)
      if (key === undefined || this.#count >= MAX_ESTIMATES) return
      const watched = this.#isWatched(known, key)
      if (watched && !eventful && BackgroundEstimate.staysQuiet(logit)) return
      const estimate = watched ? BackgroundEstimate.quiet() : new BackgroundEstimate()
      learning = { key, estimate, frame: this.#frame }
      known.estimates.set(rule.id, learning)
      this.#count++
    }
    learning.frame = this.#frame
    learning.estimate.observe({ logit, elapsedMs, eventful })
    if (learning.estimate.isQuiet) this.#drop(known.estimates, rule.id)
  }

  /** One save at a time. Never throws: what cannot be saved is learnt again. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write())
    return this.#saving
  }

  async #write(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    try {
      await writeDurably(this.#path, Buffer.from(JSON.stringify(this.#state())))
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'backgrounds not saved')
    }
  }

  #state(): SavedBackgrounds {
    const newest = Math.max(0, ...[...this.#cameras.values()].map(({ at }) => at))
    return {
      format: 1,
      since: [...this.#since],
      cameras: [...this.#cameras]
        .filter(([, { at }]) => newest - at < FORGET_AFTER_MS)
        .map(([camera, { since, at, estimates }]) => ({
          camera,
          since,
          at,
          estimates: [...estimates].map(([rule, { key, estimate }]) => {
            const { warmUp, ...rest } = estimate.save()
            return { rule, key, warmUp: [...warmUp], ...rest }
          }),
        })),
    }
  }

  #restore({ since, cameras }: SavedBackgrounds): void {
    for (const [key, at] of since) this.#since.set(key, at)
    for (const { camera, since: first, at, estimates } of cameras) {
      const known: CameraBackground = { since: first, at, estimates: new Map() }
      for (const { rule, key, ...saved } of estimates.slice(0, MAX_ESTIMATES - this.#count)) {
        known.estimates.set(rule, { key, estimate: new BackgroundEstimate(saved), frame: 0 })
        this.#count++
      }
      this.#cameras.set(camera, known)
    }
  }

  #cameraOf(camera: string, at: number): CameraBackground {
    let known = this.#cameras.get(camera)
    if (known === undefined) {
      known = { since: at, at, estimates: new Map() }
      this.#cameras.set(camera, known)
    }
    for (const key of this.#since.size < this.#keys.size ? this.#keys.values() : []) {
      if (!this.#since.has(key)) this.#since.set(key, at)
    }
    return known
  }

  /** Whether the camera was seen under the rule for longer than a warm-up takes. */
  #isWatched({ since, at }: CameraBackground, key: string): boolean {
    return at - Math.max(since, this.#since.get(key) ?? at) >= WATCHED_MS
  }

  #drop(estimates: CameraBackground['estimates'], rule: string): void {
    if (estimates.delete(rule)) this.#count--
  }
}

/** Whether the rule's own event may be in view: its score has not let go. */
function isEventful({ rule, score }: Judgement): boolean {
  return score >= Math.min(rule.off, rule.on)
}
