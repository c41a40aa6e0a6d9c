import type { IncidentEvent } from '@sightline/core'
import { frameId, type Incident } from './record-store.ts'

/** An incident with what folding needs to remember. */
export type StoredIncident = Incident & {
  /** Seq of the newest event folded in. */
  readonly lastSeq: number
  /** Peak that `bestFrameId` belongs to. */
  readonly bestScore: number
}

/**
 * The incident after one more event. Events may come in any order, since live records overtake a backlog: the newest by
 * seq gives the present, extremes are kept, and an end stays an end.
 */
export function foldIncident(
  known: StoredIncident | undefined,
  { site, node }: { site: string; node: string },
  event: IncidentEvent,
): StoredIncident {
  const newest = known === undefined || event.seq > known.lastSeq
  const better = known === undefined || event.peakScore > known.bestScore
  const { camera, rule, ruleName, rulesVersion, severity } = newest ? event : known
  return {
    id: event.incident,
    site,
    node,
    camera,
    rule,
    ruleName,
    rulesVersion,
    severity,
    startedAt: Math.min(event.startedAt, known?.startedAt ?? event.startedAt),
    updatedAt: newest ? event.at : known.updatedAt,
    endedAt: event.phase === 'end' ? event.at : (known?.endedAt ?? null),
    peakScore: Math.max(event.peakScore, known?.peakScore ?? 0),
    frames: Math.max(event.frames, known?.frames ?? 0),
    bestFrameId: better ? frameId(site, node, event.session, event.bestFrame) : known.bestFrameId,
    bestScore: better ? event.peakScore : known.bestScore,
    lastSeq: newest ? event.seq : known.lastSeq,
  }
}

export function publicIncident({ lastSeq: _seq, bestScore: _score, ...incident }: StoredIncident): Incident {
  return incident
}
