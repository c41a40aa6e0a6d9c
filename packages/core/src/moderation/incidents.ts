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

interface Streak {
  readonly startedAt: number
  frames: number
  peakScore: number
  bestFrame: number
}

interface Active {
  last: IncidentStep
  /** Start of the time below `off`; undefined while above. */
  belowSince: number | undefined
  reportedAt: number
  reportedPeak: number
}

interface Track {
  streak: Streak | undefined
  active: Active | undefined
  quietUntil: number
}

/**
 * The life of incidents, per camera and rule, on frame time: `on` reached for `minFrames` frames in a row begins one,
 * `off` undercut for `offDelaySeconds` ends it, and for `cooldownSeconds` afterwards none begins. One crossing is one
 * incident, never one per frame.
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
      this.#tracksOf(last.camera).set(last.rule, { streak: undefined, active, quietUntil: 0 })
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
        tracks.set(rule.id, { streak: undefined, active: undefined, quietUntil: 0 })
      }
    }
    for (const [id, track] of tracks) {
      const rule = rules?.rule(id)
      const applies = rule !== undefined && rules?.appliesTo(rule, camera, at)
      if (!applies || (track.active !== undefined && Math.abs(at - track.active.last.at) > MAX_GAP_MS)) {
        if (track.active !== undefined) steps.push(ended(track.active))
        track.active = undefined
        track.streak = undefined
      }
      if (rule !== undefined && applies) {
        const frame = { camera, at, seq, score: scores.get(id) ?? 0, rulesVersion: rules?.version ?? 1 }
        steps.push(...this.#advance(track, rule, frame))
      }
      const idle = track.active === undefined && track.streak === undefined && at >= track.quietUntil
      if (!applies || idle) tracks.delete(id)
    }
    return steps
  }

  #advance(track: Track, rule: CompiledRule, frame: JudgedFrame): IncidentStep[] {
    if (track.active !== undefined) return this.#goOn(track, track.active, rule, frame)
    if (frame.score < rule.on) {
      track.streak = undefined
      return []
    }
    const streak = grown(track.streak, frame)
    track.streak = streak
    // A clock that was set back must not stretch the pause.
    track.quietUntil = Math.min(track.quietUntil, frame.at + rule.cooldownSeconds * 1000)
    if (streak.frames < rule.minFrames || frame.at < track.quietUntil) return []
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
      ...streak,
    }
    track.streak = undefined
    track.active = { last, belowSince: undefined, reportedAt: frame.at, reportedPeak: last.peakScore }
    return [last]
  }

  #goOn(track: Track, active: Active, rule: CompiledRule, frame: JudgedFrame): IncidentStep[] {
    const { at, score } = frame
    const holds = score >= Math.min(rule.off, rule.on)
    active.last = { ...active.last, phase: 'update', at, score, ...(holds ? grown(active.last, frame) : {}) }
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

function grown(streak: Streak | undefined, { at, seq, score }: JudgedFrame): Streak {
  if (streak === undefined) return { startedAt: at, frames: 1, peakScore: score, bestFrame: seq }
  const best = score > streak.peakScore ? { peakScore: score, bestFrame: seq } : {}
  const { startedAt, frames, peakScore, bestFrame } = streak
  return { startedAt, frames: frames + 1, peakScore, bestFrame, ...best }
}

function ended({ last }: Active): IncidentStep {
  return { ...last, phase: 'end' }
}
