import type { Incident, RecordStore } from '../store/record-store.ts'
import type { Candidate, Grouping } from './query.ts'

const BUCKET_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
/** Incidents that are looked through. */
const MAX_INCIDENTS = 5000
/** Incidents that began so long before the oldest candidate may still have gone on. */
const INCIDENT_REACH_MS = 7 * BUCKET_MS.day

export interface CandidateGroup {
  readonly key: string
  /** By rank descending, never empty. */
  readonly members: readonly Candidate[]
}

/** Groups in the order of their best members. */
export function groupCandidates(
  candidates: readonly Candidate[],
  by: Grouping,
  store: Pick<RecordStore, 'incidents'>,
): CandidateGroup[] {
  const keyOf = by === 'incident' ? incidentKey(candidates, store) : (each: Candidate) => plainKey(each, by)
  const groups = new Map<string, Candidate[]>()
  for (const candidate of candidates) {
    const key = keyOf(candidate)
    const members = groups.get(key)
    if (members === undefined) groups.set(key, [candidate])
    else members.push(candidate)
  }
  return [...groups].map(([key, members]) => ({ key, members }))
}

export function cameraKey({ site, node, camera }: Pick<Incident, 'site' | 'node' | 'camera'>): string {
  return `${site}/${node}/${camera}`
}

function plainKey({ frame }: Candidate, by: Exclude<Grouping, 'incident'>): string {
  if (by === 'camera') return cameraKey(frame)
  const bucket = BUCKET_MS[by]
  return new Date(Math.floor(frame.capturedAt / bucket) * bucket).toISOString()
}

/** The incident that a frame belongs to: of its camera, of a rule that fired on it, at its time. Others stand alone. */
function incidentKey(
  candidates: readonly Candidate[],
  store: Pick<RecordStore, 'incidents'>,
): (candidate: Candidate) => string {
  const times = candidates.map(({ frame }) => frame.capturedAt)
  const from = Math.max(0, Math.min(...times) - INCIDENT_REACH_MS)
  const byCamera = new Map<string, Incident[]>()
  const found =
    candidates.length === 0 ? [] : store.incidents({ from, to: Math.max(...times) + 1 }, MAX_INCIDENTS)
  for (const incident of found) {
    const key = cameraKey(incident)
    byCamera.set(key, [...(byCamera.get(key) ?? []), incident])
  }
  return ({ frame }) =>
    byCamera
      .get(cameraKey(frame))
      ?.find(
        ({ rule, startedAt, endedAt, updatedAt }) =>
          frame.capturedAt >= startedAt &&
          frame.capturedAt <= (endedAt ?? updatedAt) &&
          frame.verdicts.some(verdict => verdict.rule === rule && verdict.fired),
      )?.id ?? frame.id
}
