import type { Database } from 'lmdb'
import type { IncidentStep } from '../moderation/incidents.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Delivery } from './action.ts'
import type { ActionSettings } from './action-settings.ts'
import { type Device, noticeOf } from './notice.ts'

const MAX_PENDING = 1000
const NONE: ReadonlySet<number> = new Set()

/** Action name and a number that only grows. */
export type PendingKey = [string, number]

export interface Pending {
  readonly key: PendingKey
  readonly delivery: Delivery
}

/** What the queue needs to know of the rules in force. */
export interface NamedActions {
  rule(id: string): { readonly actions: readonly string[] } | undefined
}

export interface ActionQueueOptions {
  readonly outbox: Outbox
  readonly actions: readonly Pick<ActionSettings, 'name' | 'phases' | 'thumbnail'>[]
  readonly device: Device
  /** Hears of a delivery that was given up because too many waited. */
  readonly onDrop: (key: PendingKey) => void
}

/**
 * What actions still have to do, in the outbox's file: an incident step and the deliveries that follow from it are
 * one commit, so that no crash comes between them. Of each action the newest 1000 are kept.
 */
export class ActionQueue {
  readonly #options: ActionQueueOptions
  readonly #actions: ReadonlyMap<string, ActionQueueOptions['actions'][number]>
  readonly #pending: Database<Delivery, PendingKey>
  /** Incident id -> actions that heard of its beginning and shall hear of its end, whatever becomes of the rule. */
  readonly #targets: Database<string[], string>
  readonly #numbers: Database<number, string>

  constructor(options: ActionQueueOptions) {
    const { outbox, actions } = options
    this.#options = options
    this.#actions = new Map(actions.map(action => [action.name, action]))
    this.#pending = outbox.table<Delivery, PendingKey>('action-deliveries')
    this.#targets = outbox.table<string[], string>('action-targets')
    this.#numbers = outbox.table<number, string>('action-numbers')
  }

  /** Call it in the commit that stores the steps, see `Outbox.append` and `Outbox.appendEvents`. */
  take(steps: readonly IncidentStep[], rules: NamedActions | undefined): void {
    for (const step of steps) {
      for (const name of this.#targetsOf(step, rules)) {
        const action = this.#actions.get(name)
        if (action?.phases.includes(step.phase)) this.#put(name, step, action.thumbnail)
      }
    }
  }

  /** Names that rules use and this device does not have. */
  missing(rules: Iterable<{ readonly actions: readonly string[] }>): string[] {
    const named = new Set([...rules].flatMap(({ actions }) => actions))
    return [...named].filter(name => !this.#actions.has(name)).sort()
  }

  /** The one that has waited longest. */
  oldest(action: string): Pending | undefined {
    for (const { key, value } of this.#pending.getRange({ ...rangeOf(action), limit: 1 })) {
      return { key, delivery: value }
    }
    return undefined
  }

  has({ key }: Pending): boolean {
    return this.#pending.doesExist(key)
  }

  /** Durable when it resolves. */
  async remove({ key }: Pending): Promise<void> {
    await this.#pending.remove(key)
  }

  /** Takes out everything of an action, or of all that are no longer configured. Returns how many. */
  async clear(action?: string): Promise<number> {
    const all = action === undefined ? {} : rangeOf(action)
    const keys = [...this.#pending.getKeys(all)].filter(
      ([name]) => action !== undefined || !this.#actions.has(name),
    )
    await Promise.all(keys.map(key => this.#pending.remove(key)))
    return keys.length
  }

  #targetsOf({ phase, incident, rule }: IncidentStep, rules: NamedActions | undefined): readonly string[] {
    if (phase === 'new') {
      const named = new Set(rules?.rule(rule)?.actions)
      const known = [...named].filter(name => this.#actions.has(name))
      if (known.length > 0) this.#targets.putSync(incident, known)
      return known
    }
    const named = this.#targets.get(incident) ?? []
    if (phase === 'end') this.#targets.removeSync(incident)
    return named
  }

  #put(name: string, step: IncidentStep, withThumbnail: boolean): void {
    const { outbox, device, onDrop } = this.#options
    const number = this.#numbers.get('next') ?? 1
    this.#numbers.putSync('next', number + 1)
    const thumbnail = withThumbnail ? this.#thumbnail(step.bestFrame) : undefined
    const notice = noticeOf({ step, device, session: outbox.session, thumbnail })
    const excess = this.#pending.getKeysCount(rangeOf(name)) - MAX_PENDING + 1
    for (const key of excess > 0 ? [...this.#pending.getKeys({ ...rangeOf(name), limit: excess })] : []) {
      this.#pending.removeSync(key)
      onDrop(key)
    }
    this.#pending.putSync([name, number], { id: `${step.incident}.${number}`, notice })
  }

  #thumbnail(seq: number): Uint8Array | undefined {
    const one = { from: seq, below: seq + 1, except: NONE }
    return this.#options.outbox.frames(one, { limit: 1, maxBytes: 0 })[0]?.item.thumbnail
  }
}

function rangeOf(action: string): { start: PendingKey; end: PendingKey } {
  return { start: [action, 0], end: [action, Number.MAX_SAFE_INTEGER] }
}
