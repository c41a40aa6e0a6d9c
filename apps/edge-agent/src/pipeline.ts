import {
  blurredThumbnail,
  type Clock,
  type ImageInput,
  type Log,
  thumbnail,
  type Verdict,
} from '@sightline/core'
import type { NamedActions } from './actions/action-queue.ts'
import type { Frame } from './camera/camera.ts'
import type { CameraPace } from './camera/camera-pace.ts'
import type { Gate } from './gate.ts'
import type { Metrics } from './metrics.ts'
import type { IncidentStep, Incidents } from './moderation/incidents.ts'
import type { RuleCache } from './moderation/rule-cache.ts'
import type { Judgement, Scorer } from './moderation/scorer.ts'
import type { Outbox } from './outbox/outbox.ts'

/** What an agent needs of a model: pictures to L2-normalised vectors of length `dim`, in order. */
export interface ImageModel {
  readonly dim: number
  readonly fingerprint: string
  encodeImages(inputs: readonly ImageInput[]): Promise<Float32Array[]>
}

export interface PipelineSettings {
  readonly name: string
  readonly thumbnails: 'all' | 'fired' | 'none'
  readonly thumbnailDetail: 'full' | 'blurred'
  readonly thumbnailPx: number
}

/** What all cameras of an agent share, but for the pace. */
export interface PipelineParts {
  readonly model: ImageModel
  readonly rules: RuleCache
  readonly incidents: Incidents
  readonly outbox: Outbox
  /** Takes what incidents trigger; called in the commit that records their steps. */
  readonly actions?: { take(steps: readonly IncidentStep[], rules: NamedActions | undefined): void }
  readonly metrics: Metrics
  /** Of this camera alone. */
  readonly pace?: Pick<CameraPace, 'decided'>
  readonly clock: Clock
  readonly log: Log
  /** Hears of every incident step once it is durably recorded. */
  readonly onIncident: (step: IncidentStep) => void
}

export interface PipelineOptions {
  readonly settings: PipelineSettings
  readonly frames: (signal: AbortSignal) => AsyncIterable<Frame>
  readonly gate: Gate
  readonly parts: PipelineParts
}

/** `EmbeddingItem.verdicts` holds no more; the best scores come first. */
const MAX_VERDICTS = 64

interface LastFrame {
  readonly seq: number
  readonly vector: Float32Array
  /** The rules that it was judged by. */
  readonly scorer: Scorer | undefined
  readonly judgements: readonly Judgement[]
}

/** One camera's whole way: gate, encode, judge, record. A frame never goes back. */
export class Pipeline {
  readonly #settings: PipelineSettings
  readonly #frames: PipelineOptions['frames']
  readonly #gate: Gate
  readonly #parts: PipelineParts
  #last: LastFrame | undefined

  constructor({ settings, frames, gate, parts }: PipelineOptions) {
    this.#settings = settings
    this.#frames = frames
    this.#gate = gate
    this.#parts = parts
  }

  /** Ends with the camera, or by `signal`. One bad frame costs one frame. */
  async run(signal: AbortSignal): Promise<void> {
    const { metrics, clock, log } = this.#parts
    for await (const frame of this.#frames(signal)) {
      const arrivedMs = clock.monotonic()
      metrics.framesSeen++
      try {
        if (await this.#gate.passes(frame.image, frame.capturedAt)) await this.#embed(frame, arrivedMs)
        else await this.#repeat(frame, arrivedMs)
      } catch (err) {
        this.#gate.reset()
        metrics.framesFailed++
        log.warn({ err, camera: frame.camera }, 'frame failed')
      }
    }
  }

  async #embed(frame: Frame, arrivedMs: number): Promise<void> {
    const { model, outbox, rules, actions, metrics, clock } = this.#parts
    const encodingMs = clock.monotonic()
    const [vector] = (await model.encodeImages([frame.image])) as [Float32Array]
    metrics.encode.add(clock.monotonic() - encodingMs)

    // Held on to: rules may be replaced between two frames, never within one.
    const scorer = rules.current
    const judgements = scorer?.judge(vector, frame.camera) ?? []
    const look = lookOf(frame, scorer)
    const record = {
      fingerprint: model.fingerprint,
      camera: frame.camera,
      capturedAt: frame.capturedAt,
      vector,
      verdicts: judgements.slice(0, MAX_VERDICTS).map(judgement => verdictOf(judgement, look(judgement))),
      thumbnail: await this.#thumbnail(frame, judgements.map(look)),
    }
    let steps: readonly IncidentStep[] = []
    await outbox.append(record, seq => {
      this.#last = { seq, vector, scorer, judgements }
      steps = this.#observe(frame, this.#last)
      actions?.take(steps, scorer)
      return steps
    })
    metrics.framesEmbedded++
    this.#decided(arrivedMs)
    this.#announce(steps)
  }

  /** A frame like the last one is judged like the last one: durations go on while nothing moves. */
  async #repeat(frame: Frame, arrivedMs: number): Promise<void> {
    const { rules, outbox, actions, metrics } = this.#parts
    metrics.framesGated++
    if (this.#last === undefined) return
    const scorer = rules.current
    if (this.#last.scorer !== scorer) {
      const judgements = scorer?.judge(this.#last.vector, frame.camera) ?? []
      this.#last = { ...this.#last, judgements, scorer }
    }
    const steps = this.#observe(frame, this.#last)
    if (steps.length === 0) return
    await outbox.appendEvents(steps, () => actions?.take(steps, scorer))
    this.#decided(arrivedMs)
    this.#announce(steps)
  }

  #decided(arrivedMs: number): void {
    const { metrics, pace, clock } = this.#parts
    const tookMs = clock.monotonic() - arrivedMs
    metrics.decision.add(tookMs)
    pace?.decided(tookMs)
  }

  #observe({ camera, capturedAt }: Frame, { seq, judgements, scorer }: LastFrame): readonly IncidentStep[] {
    const { incidents, rules } = this.#parts
    if (scorer !== undefined) {
      rules.backgrounds.observe({ camera, at: capturedAt, judgements, keys: scorer.keys })
    }
    return incidents.observe({ camera, at: capturedAt, seq, judgements }, scorer)
  }

  async #thumbnail({ image }: Frame, looks: readonly Look[]): Promise<Uint8Array | undefined> {
    const { thumbnails, thumbnailDetail, thumbnailPx } = this.#settings
    const wanted = thumbnails === 'all' || (thumbnails === 'fired' && looks.some(look => look !== 'nothing'))
    if (!wanted) return undefined
    return await (thumbnailDetail === 'blurred' ? blurredThumbnail : thumbnail)(image, thumbnailPx)
  }

  #announce(steps: readonly IncidentStep[]): void {
    for (const step of steps) this.#parts.onIncident(step)
  }
}

/** What a rule makes of a frame: it fires, it wants a person to look, or neither. Off duty it is neither. */
type Look = 'fires' | 'review' | 'nothing'

function lookOf({ camera, capturedAt }: Frame, scorer: Scorer | undefined): (judgement: Judgement) => Look {
  return ({ rule, score }) => {
    if (score < Math.min(rule.on, rule.reviewAt ?? rule.on)) return 'nothing'
    if (scorer?.appliesTo(rule, camera, capturedAt) !== true) return 'nothing'
    return score >= rule.on ? 'fires' : 'review'
  }
}

function verdictOf({ rule, score, similarity }: Judgement, look: Look): Verdict {
  return { rule: rule.id, score, similarity, fired: look === 'fires' }
}
