import {
  type Clock,
  type ImageInput,
  isFault,
  messageOf,
  type NodeStarting,
  type Service,
} from '@sightline/core'
import type { OpenModel } from '@sightline/core/clip/open-model.js'
import type { ProviderState } from '@sightline/core/clip/provider-choice.js'
import type { VectorSpace } from './moderation/rule-cache.ts'
import type { ImageModel } from './pipeline.ts'

type Step = Pick<NodeStarting, 'phase' | 'detail' | 'progress'>

export interface LateModelOptions {
  /** From the manifest, which tells them without a session. */
  readonly space: VectorSpace
  readonly open: (onState: (state: ProviderState) => void) => Promise<OpenModel>
  readonly clock: Clock
  /** Hears of every step. Awaited when it failed: the agent is about to end. */
  readonly onChange: (failed: boolean) => void | Promise<void>
}

const MAX_ERROR_CHARS = 500

/** A model that is opened while its agent already reports: choosing a provider or building an engine may take minutes. */
export class LateModel implements Service, ImageModel {
  readonly name = 'model'
  readonly fingerprint: string
  readonly dim: number
  readonly #options: LateModelOptions
  #opened: OpenModel | undefined
  #starting: NodeStarting | undefined

  constructor(options: LateModelOptions) {
    this.#options = options
    this.fingerprint = options.space.fingerprint
    this.dim = options.space.dim
    this.#starting = { phase: 'opening-model', since: options.clock.now() }
  }

  /** What it is busy with, or why it failed; undefined once pictures can be embedded. */
  get starting(): NodeStarting | undefined {
    return this.#starting
  }

  /** Empty until one was chosen. */
  get provider(): string {
    return this.#opened?.choice.provider ?? ''
  }

  /** @throws PROVIDER_*, MODEL_*, once the failure has been told */
  async start(): Promise<void> {
    const { open, onChange } = this.#options
    try {
      this.#opened = await open(state => this.#step(stepOf(state)))
      await this.#opened.model.warmUp()
      this.#starting = undefined
      void onChange(false)
    } catch (error) {
      await this.#opened?.model.close()
      const text = isFault(error) ? `${error.code}: ${error.message}` : messageOf(error)
      this.#starting = { ...this.#starting!, error: text.slice(0, MAX_ERROR_CHARS) }
      await onChange(true)
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.#opened?.model.close()
  }

  /** Only after `start`. @throws IMAGE_*, MODEL_* */
  encodeImages(inputs: readonly ImageInput[]): Promise<Float32Array[]> {
    return this.#opened!.model.encodeImages(inputs)
  }

  #step(step: Step | undefined): void {
    if (step === undefined) return
    const before = this.#starting
    const since = before?.phase === step.phase ? before.since : this.#options.clock.now()
    this.#starting = { ...step, since }
    void this.#options.onChange(false)
  }
}

function stepOf(state: ProviderState): Step | undefined {
  switch (state.state) {
    case 'probing':
      return { phase: 'choosing-provider', detail: `looking for ${state.provider}` }
    case 'measuring':
      return {
        phase: 'choosing-provider',
        detail: ['measuring', state.provider, state.variant ?? ''].join(' ').trim(),
      }
    case 'building TensorRT engine': {
      const { elapsedMs, progress } = state
      const detail = `TensorRT engine, ${Math.round(elapsedMs / 1000)} s so far`
      return { phase: 'building-engine', detail, ...(progress === undefined ? {} : { progress }) }
    }
    case 'chosen':
      return { phase: 'opening-model', detail: [state.provider, state.variant ?? ''].join(' ').trim() }
    default:
      return undefined
  }
}
