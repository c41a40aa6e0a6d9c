import { type Clock, fault, type Log } from '@sightline/core'
import type { Agent } from '../agent.ts'
import type { DeviceSettings } from './remote-settings.ts'

export interface LivesOptions {
  readonly create: (settings: DeviceSettings) => Promise<Agent>
  readonly clock: Clock
  readonly log: Log
}

/** How often it is looked whether a frame came through. */
const LOOK_MS = 250
/** An engine takes minutes on a small device; one that takes longer will not come. */
const MAX_BUILD_MS = 30 * 60_000
/** Frames that fail one after the other before the model is to blame. */
const MAX_FAILED_FRAMES = 5

/**
 * The agent of this process: ended and made anew when what cannot change under it does, its model above all. One change
 * at a time.
 */
export class Lives {
  readonly #options: LivesOptions
  #agent: Agent | undefined
  #settings: DeviceSettings | undefined
  #last: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(options: LivesOptions) {
    this.#options = options
  }

  /** @throws COMMAND_BUSY between two lives */
  get agent(): Agent {
    if (this.#agent === undefined) throw fault('COMMAND_BUSY', 'the agent is being restarted')
    return this.#agent
  }

  /** What fails from now on fails because the process ends. */
  get stopped(): boolean {
    return this.#stopped
  }

  get running(): Agent | undefined {
    return this.#agent
  }

  /** Of the agent that runs. */
  get settings(): DeviceSettings | undefined {
    return this.#settings
  }

  /** One job after the other. */
  exclusively<T>(job: () => Promise<T>): Promise<T> {
    const change = this.#last.then(job)
    this.#last = change.catch(() => {})
    return change
  }

  /**
   * Ends the agent, if there is one, and begins another.
   * @param limitMs longest time to start, that of building an engine apart
   * @throws whatever kept it from starting; then there is none
   */
  async begin(settings: DeviceSettings, limitMs: number): Promise<void> {
    await this.end()
    this.#settings = settings
    let abandoned = false
    const starting = this.#options.create(settings).then(async agent => {
      if (abandoned || this.#stopped) return agent.stop()
      this.#agent = agent
      await agent.start()
    })
    const done = new AbortController()
    const late = this.#deadline(limitMs, done.signal)
    late.catch(() => {})
    try {
      await Promise.race([starting, late])
    } catch (error) {
      abandoned = true
      starting.catch(err => this.#options.log.debug({ err }, 'agent did not start'))
      await this.end()
      throw error
    } finally {
      done.abort()
    }
  }

  /** Resolves never; an engine that is being built moves it. */
  async #deadline(limitMs: number, signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    const lastMs = clock.monotonic() + Math.max(limitMs, MAX_BUILD_MS)
    let untilMs = clock.monotonic() + limitMs
    for (;;) {
      await clock.sleep(LOOK_MS, signal)
      const nowMs = clock.monotonic()
      if (this.#agent?.building) untilMs = Math.min(nowMs + limitMs, lastMs)
      if (nowMs >= untilMs)
        throw fault('CONFIG_ROLLED_BACK', `the agent did not start within ${limitMs / 1000} s`)
    }
  }

  /** Takes over what can change in a running agent. */
  async apply(settings: DeviceSettings): Promise<void> {
    await this.agent.apply(settings)
    this.#settings = settings
  }

  /** For good, also in the middle of a start. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.end()
  }

  async end(): Promise<void> {
    const agent = this.#agent
    this.#agent = undefined
    await agent?.stop()
  }

  /**
   * Resolves when the model in use has done its work: a picture of our own, and a camera's frame if any comes in time.
   * @throws MODEL_*
   */
  async prove(limitMs: number): Promise<void> {
    const { clock } = this.#options
    const { agent } = this
    await agent.probe()
    const untilMs = clock.monotonic() + limitMs
    while (agent.cameras.statuses().length > 0) {
      const { framesSeen, framesEmbedded, framesFailed } = agent.counts()
      if (framesEmbedded > 0) return
      const timeUp = clock.monotonic() >= untilMs
      if (framesFailed >= MAX_FAILED_FRAMES || (timeUp && framesSeen > 0))
        throw fault('MODEL_FAILED', `of ${framesSeen} frames ${framesFailed} failed and none was embedded`)
      if (timeUp) return
      await clock.sleep(LOOK_MS)
    }
  }
}
