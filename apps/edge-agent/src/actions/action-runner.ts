import { type Backoff, type Clock, isFault, type Log, messageOf, type Service } from '@sightline/core'
import type { Action } from './action.ts'
import type { ActionQueue, Pending } from './action-queue.ts'

/** Longest wait at the stop for what is under way; what it does not finish is done again after the start. */
const DRAIN_MS = 3000

export interface RunnableAction {
  readonly action: Action
  readonly retries: number
}

/** Counters since the agent started. */
export interface ActionCounts {
  actionsSent: number
  /** Given up after the last attempt. */
  actionsFailed: number
  /** Given up because too many waited, or because the target wants no more. */
  actionsDropped: number
}

export interface ActionRunnerOptions {
  readonly queue: ActionQueue
  readonly actions: readonly RunnableAction[]
  readonly counts: ActionCounts
  readonly backoff: Backoff
  readonly clock: Clock
  readonly log: Log
}

/** Works the queue off: each action its own deliveries in their order, beside the others. */
export class ActionRunner implements Service {
  readonly name = 'actions'
  readonly #options: ActionRunnerOptions
  readonly #stopping = new AbortController()
  readonly #cutting = new AbortController()
  readonly #wakes = new Map<string, () => void>()
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: ActionRunnerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { queue, actions, counts, log } = this.#options
    const forgotten = await queue.clear()
    counts.actionsDropped += forgotten
    if (forgotten > 0)
      log.warn({ deliveries: forgotten }, 'of actions that are gone from the settings: dropped')
    this.#running = Promise.all(actions.map(action => this.#run(action)))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.poke()
    const done = new AbortController()
    const limit = this.#options.clock.sleep(DRAIN_MS, done.signal).catch(() => {})
    await Promise.race([this.#running, limit])
    done.abort()
    this.#cutting.abort()
    await this.#running
  }

  /** There may be something new in the queue. */
  poke(): void {
    for (const wake of this.#wakes.values()) wake()
  }

  async #run(each: RunnableAction): Promise<void> {
    const { queue, clock, backoff, log } = this.#options
    const { name } = each.action
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const woken = new Promise<void>(resolve => this.#wakes.set(name, resolve))
      try {
        const next = queue.oldest(name)
        if (next === undefined) await woken
        else if (!(await this.#work(each, next))) return
      } catch (err) {
        // The disk, not the target: what is in the queue stays there.
        log.error({ err, action: name }, 'action queue not usable')
        await clock.sleep(backoff.delayMs(10), signal).catch(() => {})
      }
    }
  }

  /** Tries until it is done or given up. False when the action is over for good. */
  async #work({ action, retries }: RunnableAction, next: Pending): Promise<boolean> {
    const { queue, counts, backoff, clock, log } = this.#options
    const { name } = action
    for (let attempt = 0; ; attempt++) {
      try {
        await action.deliver(next.delivery, this.#cutting.signal)
        counts.actionsSent++
        break
      } catch (error) {
        if (this.#cutting.signal.aborted) return false
        const failure = { action: name, id: next.delivery.id, attempt, reason: messageOf(error) }
        if (isFault(error, 'ACTION_FAILED') && error.details.gone === true) {
          counts.actionsDropped += await queue.clear(name)
          log.error(
            failure,
            'the target of the action is gone: the action is off until the agent starts again',
          )
          return false
        }
        if (attempt >= retries) {
          counts.actionsFailed++
          log.error(failure, 'action given up')
          break
        }
        log.warn(failure, 'action failed; trying again')
        await clock.sleep(backoff.delayMs(attempt), this.#stopping.signal).catch(() => {})
        if (this.#stopping.signal.aborted) return false
        // It may have made room for others meanwhile.
        if (!queue.has(next)) return true
      }
    }
    await queue.remove(next)
    return true
  }
}
