import type { Clock, Log, Service } from '@sightline/core'
import type { RuleDesk } from './rule-desk.ts'

export interface LearnerOptions {
  readonly rules: Pick<RuleDesk, 'relearn'>
  /** After the first review of a series, in milliseconds; those in between wait along. */
  readonly delayMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Has the rules learn some time after a review: whoever reviews a hundred incidents must not cause a hundred bundles. */
export class Learner implements Service {
  readonly name = 'learner'
  readonly #options: LearnerOptions
  readonly #stopping = new AbortController()
  #waiting: Promise<void> | undefined

  constructor(options: LearnerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {}

  /** What was reviewed last is learnt at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#waiting
  }

  /** Somebody has reviewed something. */
  notice(): void {
    if (this.#stopping.signal.aborted) return
    this.#waiting ??= this.#learn()
  }

  async #learn(): Promise<void> {
    const { rules, delayMs, clock, log } = this.#options
    try {
      await clock.sleep(delayMs, this.#stopping.signal)
      // From here on a review begins another series: it may come too late for this one.
      this.#waiting = undefined
      await rules.relearn()
    } catch (err) {
      this.#waiting = undefined
      if (!this.#stopping.signal.aborted) log.error({ err }, 'rules could not learn from reviews')
    }
  }
}
