import type { Service } from '@sightline/core'
import type { RuleCache } from './moderation/rule-cache.ts'
import type { Outbox } from './outbox/outbox.ts'

export interface StorageOptions {
  readonly rules: Pick<RuleCache, 'load' | 'close'>
  readonly outbox: Pick<Outbox, 'close'>
  /** What was saved is there: goes on where the last life ended. */
  readonly onLoaded: () => Promise<void>
}

/** What an agent keeps on its disk, open from the making of the agent to its end. */
export class Storage implements Service {
  readonly name = 'storage'
  readonly #options: StorageOptions
  #closing: Promise<void> | undefined

  constructor(options: StorageOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { rules, onLoaded } = this.#options
    try {
      await rules.load()
      await onLoaded()
    } catch (error) {
      // What failed to start is not stopped, and another agent may follow in this process.
      await this.stop()
      throw error
    }
  }

  stop(): Promise<void> {
    const { rules, outbox } = this.#options
    this.#closing ??= rules.close().then(() => outbox.close())
    return this.#closing
  }
}
