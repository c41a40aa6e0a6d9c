import { addSeqs, EMPTY_SEQ_SET, fault, hasSeq, type IncidentEvent, toRanges } from '@sightline/core'
import { foldIncident, publicIncident } from './fold-incident.ts'
import { putFrame } from './frame-rows.ts'
import { sessionKey, type Tables } from './lmdb-tables.ts'
import { touchNode } from './node-rows.ts'
import type { AppendResult, Delivery, Incident } from './record-store.ts'

/** Gaps that one session may have: live records overtake a backlog, which makes a few, not thousands. */
const MAX_RANGES = 4096

/**
 * Runs inside a transaction, which orders concurrent deliveries and takes back everything when it throws.
 * @throws PAYLOAD_INVALID on an event for another device's incident, or a session with too many gaps
 */
export function applyDelivery(tables: Tables, delivery: Delivery): AppendResult {
  const { site, node, session, frames, events, skipped, receivedAt } = delivery
  const key = sessionKey(site, node, session)
  const before = tables.sessions.get(key) ?? EMPTY_SEQ_SET
  const taken = new Set<number>()
  const isNew = ({ seq }: { seq: number }) =>
    !hasSeq(before, seq) && !taken.has(seq) && taken.add(seq) !== undefined

  const newFrames = frames.filter(isNew)
  const newEvents = events.filter(isNew)
  const stored = addSeqs(before, [...toRanges([...taken]), ...skipped])
  if (stored.ranges.length > MAX_RANGES) {
    throw fault('PAYLOAD_INVALID', `session ${session} has more than ${MAX_RANGES} gaps`)
  }
  tables.sessions.put(key, stored)

  const firstOrd = (tables.counters.get('ord') ?? 0) + 1
  const added = newFrames.map((frame, i) => putFrame(tables, firstOrd + i, delivery, frame))
  if (added.length > 0) tables.counters.put('ord', firstOrd + added.length - 1)

  const changed = new Map<string, Incident>()
  for (const event of newEvents) changed.set(event.incident, putEvent(tables, delivery, event))

  touchNode(tables, {
    site,
    node,
    lastSeenAt: receivedAt,
    ...(added.length > 0 ? { lastDataAt: receivedAt } : {}),
  })
  return {
    stored,
    frames: added,
    incidents: [...changed.values()],
    duplicates: frames.length + events.length - taken.size,
  }
}

function putEvent(
  { incidents, incidentsByStart }: Tables,
  { site, node }: Delivery,
  event: IncidentEvent,
): Incident {
  const known = incidents.get(event.incident)
  if (known !== undefined && (known.site !== site || known.node !== node)) {
    throw fault('PAYLOAD_INVALID', `incident ${event.incident} belongs to ${known.site}/${known.node}`)
  }
  const incident = foldIncident(known, { site, node }, event)
  incidents.put(incident.id, incident)
  if (known?.startedAt !== incident.startedAt) {
    if (known !== undefined) incidentsByStart.remove([known.startedAt, incident.id])
    incidentsByStart.put([incident.startedAt, incident.id], true)
  }
  return publicIncident(incident)
}
