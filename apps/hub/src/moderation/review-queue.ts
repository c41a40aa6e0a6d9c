import { createHash } from 'node:crypto'
import { SEVERITIES } from '@sightline/core'
import type { Incident } from '../store/record-store.ts'

/** Of all incidents, those that are looked at whatever their rank: what a rank never shows must be measured too. */
const AUDIT_SHARE = 0.1
/** So that an audit also happens while more urgent ones keep coming, every tenth place is one. */
const AUDIT_EVERY = 10

export interface QueuedIncident {
  readonly incident: Incident
  /** Why it stands where it stands. */
  readonly reason: 'priority' | 'audit'
  /** How near its peak is to the rule's threshold: 1 at it, 0 as far away as can be. Null when the rule is gone. */
  readonly uncertainty: number | null
}

/**
 * Most severe first, of one severity the most uncertain first, of these the newest; every tenth place goes to an incident
 * drawn at random. Drawn by its id: the same incidents give the same queue.
 * @param thresholdOf `on` of a rule, undefined when there is none of that id
 */
export function reviewQueue(
  incidents: readonly Incident[],
  thresholdOf: (rule: string) => number | undefined,
): QueuedIncident[] {
  const ranked = incidents
    .map(incident => ({ incident, uncertainty: uncertaintyOf(incident, thresholdOf(incident.rule)) }))
    .sort(
      (a, b) =>
        severityOf(b.incident) - severityOf(a.incident) ||
        (b.uncertainty ?? 0) - (a.uncertainty ?? 0) ||
        b.incident.startedAt - a.incident.startedAt,
    )
  const drawn = ranked
    .map(each => ({ ...each, lot: lotOf(each.incident.id) }))
    .filter(({ lot }) => lot < AUDIT_SHARE)
    .sort((a, b) => a.lot - b.lot)
  const queue: QueuedIncident[] = []
  const taken = new Set<string>()
  const take = (each: (typeof ranked)[number] | undefined, reason: QueuedIncident['reason']) => {
    if (each === undefined) return
    taken.add(each.incident.id)
    queue.push({ incident: each.incident, uncertainty: each.uncertainty, reason })
  }
  const isLeft = ({ incident }: (typeof ranked)[number]) => !taken.has(incident.id)
  let [nextRanked, nextDrawn] = [0, 0]
  while (queue.length < ranked.length) {
    while (nextDrawn < drawn.length && !isLeft(drawn[nextDrawn]!)) nextDrawn++
    if ((queue.length + 1) % AUDIT_EVERY === 0 && nextDrawn < drawn.length) {
      take(drawn[nextDrawn++], 'audit')
      continue
    }
    while (!isLeft(ranked[nextRanked]!)) nextRanked++
    take(ranked[nextRanked++], 'priority')
  }
  return queue
}

function uncertaintyOf({ peakScore }: Incident, on: number | undefined): number | null {
  if (on === undefined) return null
  return 1 - Math.abs(peakScore - on) / Math.max(on, 1 - on)
}

function severityOf({ severity }: Incident): number {
  return SEVERITIES.indexOf(severity)
}

/** Between 0 and 1, evenly, and always the same for an id. */
function lotOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE(0) / 2 ** 32
}
