import type { CompiledRule } from '@sightline/core'
import { BackgroundEstimate } from '@sightline/core/moderation/background.js'
import { Incidents, type RulesInForce } from '@sightline/core/moderation/incidents.js'
import { calibratedScore } from '@sightline/core/moderation/judge-rule.js'
import { dutyByMinute } from './applicability.ts'
import { type Camera, camerasOf, type FrameColumns } from './backtest-cameras.ts'
import type { ScanColumns } from './backtest-scan.ts'
import { Tally } from './backtest-tally.ts'

/** Can be sent to a thread. */
export interface FindingsPlan {
  readonly rule: CompiledRule
  /** Frames to tell of each kind, and incidents. */
  readonly top: number
  /** Reviewed frames of this rule. */
  readonly labels: readonly { readonly ord: number; readonly positive: boolean }[]
}

export interface FoundFrame {
  readonly ord: number
  readonly score: number
  readonly similarity: number
}

export interface FoundIncident {
  /** site~node~camera */
  readonly source: string
  readonly startedAt: number
  /** Null when it still went on at the last frame. */
  readonly endedAt: number | null
  readonly peakScore: number
  readonly frames: number
  readonly bestOrd: number
}

export interface FoundCounts {
  readonly frames: number
  /** Frames at `on` or above. */
  readonly fired: number
  readonly incidents: number
}

export interface BacktestFindings extends FoundCounts {
  /** Times of the first and the last frame; null without any. */
  readonly first: number | null
  readonly last: number | null
  /** Frames taken while the rule is off duty: they count as frames, and for nothing else. */
  readonly offDuty: number
  /** Frames to which no positive is near enough: their score is 0, and they are in no bin. */
  readonly belowGate: number
  /** Frames by score, 20 bins of equal width. */
  readonly histogram: readonly number[]
  /** By day in UTC; `day` is its first millisecond. */
  readonly days: readonly (FoundCounts & { readonly day: number })[]
  readonly cameras: readonly (FoundCounts & { readonly source: string })[]
  /** Highest peaks first. */
  readonly topIncidents: readonly FoundIncident[]
  /** Best score first; of frames of one camera in one minute one. */
  readonly best: readonly FoundFrame[]
  /** Nearest to `on` first, likewise. */
  readonly borderline: readonly FoundFrame[]
  readonly labelled: LabelledFindings | null
}

/** What the rule makes of frames that were reviewed. Rates are null where nothing tells them. */
export interface LabelledFindings {
  readonly frames: number
  readonly truePositives: number
  readonly falsePositives: number
  readonly falseNegatives: number
  readonly trueNegatives: number
  readonly precision: number | null
  readonly recall: number | null
  readonly f1: number | null
  readonly averagePrecision: number | null
}

/** What a rule would have done with these frames, camera by camera in the order of their capture. */
export function backtestFindings(chunks: readonly ScanColumns[], plan: FindingsPlan): BacktestFindings {
  const columns = camerasOf(chunks)
  const tally = new Tally(columns, plan)
  for (const camera of columns.cameras) play(columns, camera, plan.rule, tally)
  return tally.findings()
}

/** One camera's frames through background, calibration and incidents, as a device takes them. */
function play(columns: FrameColumns, { source, order }: Camera, rule: CompiledRule, tally: Tally): void {
  const { ords, capturedAt, reached: reachedColumn, logits } = columns
  const isOnDuty = dutyByMinute(rule.schedule)
  const rules: RulesInForce = {
    version: 1,
    rule: () => rule,
    appliesTo: (_rule, _camera, at) => isOnDuty(at),
  }
  let started = 0
  const incidents = new Incidents({ newId: () => String(++started) })
  const background = new BackgroundEstimate()
  let before: number | undefined
  let hasFired = false
  tally.begin(source)
  for (const position of order) {
    const at = capturedAt[position]!
    const reached = reachedColumn[position] === 1
    const logit = logits[position]!
    const score = reached ? calibratedScore(rule, logit, background.offset) : 0
    const elapsedMs = at - (before ?? at)
    const eventful = reached && score >= Math.min(rule.off, rule.on)
    background.observe({ logit: reached ? logit : undefined, elapsedMs, eventful })
    before = at
    // A device learns its background around the clock, too.
    const duty = isOnDuty(at)
    if (duty) tally.frame(position, score, reached)
    else tally.offDuty(position)
    hasFired ||= duty && score >= rule.on
    // Before that there is nothing to keep track of.
    if (!hasFired) continue
    const judgements = reached ? [{ rule, score }] : []
    for (const step of incidents.observe({ camera: source, at, seq: ords[position]!, judgements }, rules))
      if (step.phase !== 'update') tally.incident(source, step, step.phase === 'end')
  }
  for (const step of incidents.endAllBut(new Set())) tally.incident(source, step, false)
}
