import type { CompiledRule, Rule } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import { onDuty } from '@sightline/core/moderation/schedule.js'

/** Where and when a picture was taken, as far as that is known. */
export interface Occasion {
  readonly site?: string | undefined
  readonly camera?: string | undefined
  /** Milliseconds since the epoch. */
  readonly at?: number | undefined
}

/** Whether a rule would be asked on an occasion, by the rules as they were written. */
export function applicability(written: readonly Rule[]) {
  const sites = new Map(written.map(rule => [rule.id, rule.sites]))
  return (rule: CompiledRule, { site, camera, at }: Occasion): boolean =>
    (camera === undefined || matchesCamera(rule.cameras, camera)) &&
    (site === undefined || matchesCamera(sites.get(rule.id) ?? ['*'], site)) &&
    (at === undefined || onDuty(rule.schedule)(at))
}

/** `onDuty` for frames in the order of capture: within a minute the answer stays, and asking costs microseconds. */
export function dutyByMinute(schedule: CompiledRule['schedule']): (at: number) => boolean {
  if (schedule === undefined) return () => true
  const ask = onDuty(schedule)
  let [minute, answer] = [Number.NaN, false]
  return at => {
    const of = Math.floor(at / 60_000)
    if (of !== minute) [minute, answer] = [of, ask(at)]
    return answer
  }
}
