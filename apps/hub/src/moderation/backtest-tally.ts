import type { CompiledRule } from '@sightline/core'
import { detection, prAuc, type Scored } from '@sightline/core/moderation/quality.js'
import { TopK } from '../index/top-k.ts'
import type { FrameColumns } from './backtest-cameras.ts'
import type {
  BacktestFindings,
  FindingsPlan,
  FoundCounts,
  FoundFrame,
  FoundIncident,
  LabelledFindings,
} from './backtest-findings.ts'

export const HISTOGRAM_BINS = 20
const DAY_MS = 86_400_000
/** Frames of one camera in one such span show much the same: one of them is told. */
const ALIKE_MS = 60_000
/** Ranked frames per frame that is told, among which those that are alike are thinned out. */
const POOL = 64

/** What a tally needs to know of an incident's step. */
export interface Crossing {
  readonly incident: string
  readonly startedAt: number
  readonly at: number
  readonly peakScore: number
  readonly frames: number
  readonly bestFrame: number
}

type Counts = { -readonly [K in keyof FoundCounts]: FoundCounts[K] }

/** Counts what a backtest finds, camera by camera. */
export class Tally {
  readonly #columns: FrameColumns
  readonly #rule: CompiledRule
  readonly #top: number
  readonly #labels: ReadonlyMap<number, boolean>
  readonly #scored: Scored[] = []
  readonly #scores: Float64Array
  /** Camera of each position, as a number. */
  readonly #sources: Uint32Array
  readonly #histogram = Array<number>(HISTOGRAM_BINS).fill(0)
  readonly #days = new Map<number, Counts>()
  readonly #cameras: { readonly source: string; readonly counts: Counts }[] = []
  readonly #incidents = new Map<string, FoundIncident>()
  readonly #best: TopK
  readonly #borderline: TopK
  #belowGate = 0
  #offDuty = 0
  #first = Number.POSITIVE_INFINITY
  #last = Number.NEGATIVE_INFINITY

  constructor(columns: FrameColumns, { rule, top, labels }: FindingsPlan) {
    this.#columns = columns
    this.#rule = rule
    this.#top = top
    this.#labels = new Map(labels.map(({ ord, positive }) => [ord, positive]))
    this.#scores = new Float64Array(columns.ords.length)
    this.#sources = new Uint32Array(columns.ords.length)
    this.#best = new TopK(top * POOL)
    this.#borderline = new TopK(top * POOL)
  }

  /** What follows is of this camera. */
  begin(source: string): void {
    this.#cameras.push({ source, counts: emptyCounts() })
  }

  /** A frame that the rule does not look at. */
  offDuty(position: number): void {
    this.#count(position)
    this.#offDuty++
  }

  frame(position: number, score: number, reached: boolean): void {
    const { on } = this.#rule
    const counts = this.#count(position)
    this.#scores[position] = score
    this.#sources[position] = this.#cameras.length
    if (this.#labels.size > 0) {
      const positive = this.#labels.get(this.#columns.ords[position]!)
      if (positive !== undefined) this.#scored.push({ score, positive })
    }
    if (!reached) {
      this.#belowGate++
      return
    }
    this.#histogram[Math.min(HISTOGRAM_BINS - 1, Math.floor(score * HISTOGRAM_BINS))]!++
    if (score >= on) for (const each of counts) each.fired++
    this.#best.offer(position, score)
    this.#borderline.offer(position, -Math.abs(score - on))
  }

  #count(position: number): Counts[] {
    const at = this.#columns.capturedAt[position]!
    const counts = [this.#dayOf(at), this.#camera]
    for (const each of counts) each.frames++
    this.#first = Math.min(this.#first, at)
    this.#last = Math.max(this.#last, at)
    return counts
  }

  incident(source: string, step: Crossing, ended: boolean): void {
    const key = `${source}~${step.incident}`
    if (!this.#incidents.has(key)) {
      this.#dayOf(step.startedAt).incidents++
      this.#camera.incidents++
    }
    this.#incidents.set(key, {
      source,
      startedAt: step.startedAt,
      endedAt: ended ? step.at : null,
      peakScore: step.peakScore,
      frames: step.frames,
      bestOrd: step.bestFrame,
    })
  }

  findings(): BacktestFindings {
    const cameras = this.#cameras.map(({ source, counts }) => ({ source, ...counts }))
    const sum = (key: keyof FoundCounts) => cameras.reduce((total, camera) => total + camera[key], 0)
    const frames = sum('frames')
    return {
      frames,
      fired: sum('fired'),
      incidents: sum('incidents'),
      first: frames === 0 ? null : this.#first,
      last: frames === 0 ? null : this.#last,
      belowGate: this.#belowGate,
      offDuty: this.#offDuty,
      histogram: this.#histogram,
      days: [...this.#days].sort(([a], [b]) => a - b).map(([day, counts]) => ({ day, ...counts })),
      cameras: cameras.sort((a, b) => b.incidents - a.incidents || b.frames - a.frames),
      topIncidents: [...this.#incidents.values()]
        .sort((a, b) => b.peakScore - a.peakScore || a.startedAt - b.startedAt)
        .slice(0, this.#top),
      best: this.#thinned(this.#best),
      borderline: this.#thinned(this.#borderline),
      labelled: this.#scored.length === 0 ? null : labelled(this.#scored, this.#rule.on),
    }
  }

  get #camera(): Counts {
    return this.#cameras.at(-1)!.counts
  }

  #dayOf(at: number): Counts {
    const day = Math.floor(at / DAY_MS) * DAY_MS
    let counts = this.#days.get(day)
    if (counts === undefined) {
      counts = emptyCounts()
      this.#days.set(day, counts)
    }
    return counts
  }

  #thinned(ranked: TopK): FoundFrame[] {
    const { ords, capturedAt, similarities } = this.#columns
    const seen = new Set<string>()
    const told: FoundFrame[] = []
    for (const { ord: position } of ranked.hits()) {
      if (told.length === this.#top) break
      const key = `${this.#sources[position]} ${Math.floor(capturedAt[position]! / ALIKE_MS)}`
      if (seen.has(key)) continue
      seen.add(key)
      told.push({
        ord: ords[position]!,
        score: this.#scores[position]!,
        similarity: similarities[position]!,
      })
    }
    return told
  }
}

function emptyCounts(): Counts {
  return { frames: 0, fired: 0, incidents: 0 }
}

function labelled(scored: readonly Scored[], on: number): LabelledFindings {
  const count = (fired: boolean, positive: boolean) =>
    scored.filter(each => each.score >= on === fired && each.positive === positive).length
  const [truePositives, falsePositives] = [count(true, true), count(true, false)]
  const [falseNegatives, trueNegatives] = [count(false, true), count(false, false)]
  const { precision, recall, f1 } = detection(scored, on)
  const alarms = truePositives + falsePositives
  const positives = truePositives + falseNegatives
  return {
    frames: scored.length,
    truePositives,
    falsePositives,
    falseNegatives,
    trueNegatives,
    // Without an alarm, or without anything to find, the convention of 1 would flatter.
    precision: alarms === 0 ? null : precision,
    recall: positives === 0 ? null : recall,
    f1: positives === 0 ? null : f1,
    averagePrecision: positives === 0 ? null : prAuc(scored),
  }
}
