import type { CompiledRule } from '@sightline/core'
import { LocalTimes, onDuty } from '@sightline/core/moderation/schedule.js'

/** When the rules of one bundle are on duty. Their time zones were checked when the bundle was taken. */
export class DutyRoster {
  readonly #times = new LocalTimes()
  readonly #duty = new WeakMap<CompiledRule, (at: number) => boolean>()

  /** @param at frame time, milliseconds since the epoch */
  onDuty(rule: CompiledRule, at: number): boolean {
    if (rule.schedule === undefined) return true
    let duty = this.#duty.get(rule)
    if (duty === undefined) {
      duty = onDuty(rule.schedule, this.#times)
      this.#duty.set(rule, duty)
    }
    return duty(at)
  }
}
