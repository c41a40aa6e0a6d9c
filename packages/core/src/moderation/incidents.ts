import type { INCIDENT_PHASES, IncidentEvent } from '../protocol/messages.ts'
import type { CompiledRule } from '../protocol/rules.ts'

/** What the life of an incident needs to know of the rules in force. */
export interface RulesInForce {
  readonly version: number
  rule(id: string): CompiledRule | undefined
  /** Whether the rule looks at this camera, and is on duty at that frame time. */
  appliesTo(rule: CompiledRule, camera: string, at: number): boolean
}

/** A rule's score for a frame, as far as incidents are concerned. */
export interface ScoredRule {
  readonly rule: CompiledRule
  readonly score: number
}

/** An incident event before the outbox gives it its place in the sequence. */
export type IncidentStep = Omit<IncidentEvent, 'v' | 'session' | 'seq' | 'phase'> & {
  readonly phase: (typeof INCIDENT_PHASES)[number]
}

export interface Observation {
  readonly camera: string
  /** Frame time, milliseconds since the epoch. */
  readonly at: number
  /** Seq of the embedding record that the judgements belong to. */
  readonly seq: number
  readonly judgements: readonly ScoredRule[]
}

const UPDATE_EVERY_MS = 10_000
/** A peak that grew by so much is worth telling before the next regular update. */
const NOTABLE_GROWTH = 0.1
/** Without a frame for so long nobody knows whether it went on: the incident ends where it was last seen. */
const MAX_GAP_MS = 15 * 60_000

/** A frame that reached `on`. */
interface Hit {
  readonly at: number
  readonly seq: number
  readonly score: number
}

interface Active {
  last: IncidentStep
  /** Start of the time below `off`; undefined while above. */
  belowSince: number | undefined
  reportedAt: number
  reportedPeak: number
}

interface Track {
  /** Newest last; what an incident would begin with, `minFrames` at most. */
  hits: Hit[]
  active: Active | undefined
  quietUntil: number
}

/**
 * The life of incidents, per camera and rule, on frame time: `on` reached by `minFrames` frames in a row (or, with
 * `windowSeconds`, by as many within so long) begins one, `off` undercut for `offDelaySeconds` ends it, and for
 * `cooldownSeconds` afterwards none begins. A rule that goes off duty ends what is open. One crossing is one incident,
 * never one per frame.
 */
export class Incidents {
  readonly #newId: () => string
  readonly #tracks = new Map<string, Map<string, Track>>()

  /** @param newId gives a ULID */
  constructor({ newId }: { newId: () => string }) {
    this.#newId = newId
  }

  /** Takes up incidents that were open when the process ended, so that they go on or end properly. */
  restore(open: readonly IncidentStep[]): void {
    for (const last of open) {
      const active = { last, belowSince: undefined, reportedAt: last.at, reportedPeak: last.peakScore }
      this.#tracksOf(last.camera).set(last.rule, { hits: [], active, quietUntil: 0 })
    }
  }

  /** Ends what is open on cameras that are not among `cameras`: no frame will come to do it. */
  endAllBut(cameras: ReadonlySet<string>): IncidentStep[] {
    const steps: IncidentStep[] = []
    for (const [camera, tracks] of this.#tracks) {
      if (cameras.has(camera)) continue
      for (const { active } of tracks.values()) if (active !== undefined) steps.push(ended(active))
      this.#tracks.delete(camera)
    }
    return steps
  }

  /** What an observation changes, in order. */
  observe({ camera, at, seq, judgements }: Observation, rules: RulesInForce | undefined): IncidentStep[] {
    const steps: IncidentStep[] = []
    const tracks = this.#tracksOf(camera)
    const scores = new Map(judgements.map(({ rule, score }) => [rule.id, score]))
    for (const { rule, score } of judgements) {
      if (score >= rule.on && !tracks.has(rule.id)) {
        tracks.set(rule.id, { hits: [], active: undefined, quietUntil: 0 })
      }
    }
    for (const [id, track] of tracks) {
      const rule = rules?.rule(id)
      const applies = rule !== undefined && rules?.appliesTo(rule, camera, at) === true
      const { active } = track
      if (active !== undefined && (!applies || Math.abs(at - active.last.at) > MAX_GAP_MS)) {
        steps.push(ended(active))
        track.active = undefined
        track.quietUntil = active.last.at + (rule?.cooldownSeconds ?? 0) * 1000
      }
      if (applies) {
        const frame = { camera, at, seq, score: scores.get(id) ?? 0, rulesVersion: rules?.version ?? 1 }
        steps.push(...this.#advance(track, rule, frame))
      } else track.hits = []
      const idle = track.active === undefined && track.hits.length === 0 && at >= track.quietUntil
      if (rule === undefined || idle) tracks.delete(id)
    }
    return steps
  }

  #advance(track: Track, rule: CompiledRule, frame: JudgedFrame): IncidentStep[] {
    if (track.active !== undefined) return this.#goOn(track, track.active, rule, frame)
    // A clock that was set back must not stretch the pause.
    track.quietUntil = Math.min(track.quietUntil, frame.at + rule.cooldownSeconds * 1000)
    track.hits = hitsWith(track.hits, rule, frame)
    const enough = frame.score >= rule.on && track.hits.length >= rule.minFrames
    if (!enough || frame.at < track.quietUntil) return []
    const startedAt = Math.min(...track.hits.map(hit => hit.at))
    const best = track.hits.reduce((most, hit) => (hit.score > most.score ? hit : most))
    const last: IncidentStep = {
      phase: 'new',
      incident: this.#newId(),
      rule: rule.id,
      ruleName: rule.name,
      rulesVersion: frame.rulesVersion,
      severity: rule.severity,
      camera: frame.camera,
      at: frame.at,
      score: frame.score,
      startedAt,
      frames: track.hits.length,
      peakScore: best.score,
      bestFrame: best.seq,
    }
    track.hits = []
    track.active = { last, belowSince: undefined, reportedAt: frame.at, reportedPeak: last.peakScore }
    return [last]
  }

  #goOn(track: Track, active: Active, rule: CompiledRule, frame: JudgedFrame): IncidentStep[] {
    const { at, score } = frame
    const holds = score >= Math.min(rule.off, rule.on)
    const { last } = active
    // Nothing is over before it began, even when the clock was set back in between.
    const startedAt = Math.min(last.startedAt, at)
    active.last = { ...last, phase: 'update', at, startedAt, score, ...(holds ? grown(last, frame) : {}) }
    active.belowSince = holds ? undefined : Math.min(active.belowSince ?? at, at)
    active.reportedAt = Math.min(active.reportedAt, at)
    if (active.belowSince !== undefined && at - active.belowSince >= rule.offDelaySeconds * 1000) {
      track.active = undefined
      track.quietUntil = at + rule.cooldownSeconds * 1000
      return [ended(active)]
    }
    const { peakScore } = active.last
    if (at - active.reportedAt < UPDATE_EVERY_MS && peakScore < active.reportedPeak + NOTABLE_GROWTH)
      return []
    active.reportedAt = at
    active.reportedPeak = peakScore
    return [active.last]
  }

  #tracksOf(camera: string): Map<string, Track> {
    let tracks = this.#tracks.get(camera)
    if (tracks === undefined) {
      tracks = new Map()
      this.#tracks.set(camera, tracks)
    }
    return tracks
  }
}

interface JudgedFrame {
  readonly camera: string
  readonly at: number
  readonly seq: number
  readonly score: number
  readonly rulesVersion: number
}

/**
 * The frames at `on` or above that count together with this one. Without a window one frame below breaks the row. With
 * one, frames from the future are those of a clock that was set back since: they do not count.
 */
function hitsWith(hits: readonly Hit[], rule: CompiledRule, { at, seq, score }: JudgedFrame): Hit[] {
  const windowMs = rule.windowSeconds * 1000
  const hit = score >= rule.on ? [{ at, seq, score }] : []
  if (windowMs === 0 && hit.length === 0) return []
  const kept = windowMs === 0 ? hits : hits.filter(each => each.at <= at && at - each.at <= windowMs)
  return [...kept, ...hit].slice(-rule.minFrames)
}

function grown(
  { frames, peakScore, bestFrame }: IncidentStep,
  { seq, score }: JudgedFrame,
): Pick<IncidentStep, 'frames' | 'peakScore' | 'bestFrame'> {
  const best = score > peakScore ? { peakScore: score, bestFrame: seq } : { peakScore, bestFrame }
  return { frames: frames + 1, ...best }
}

function ended({ last }: Active): IncidentStep {
  return { ...last, phase: 'end' }
}
