import { type Clock, fault, type Log } from '@sightline/core'
import type { RuleDesk } from '../rules/rule-desk.ts'
import type { FrameLabel, Incident, IncidentFilter, RecordStore, Review } from '../store/record-store.ts'
import type { FindingsPlan } from './backtest-findings.ts'
import { type QueuedIncident, reviewQueue } from './review-queue.ts'

/** Unreviewed incidents that are ranked: the newest ones. */
const MAX_RANKED = 5000
/** Labels that the records of rules are counted from, the newest ones: reading 2000 took 13 to 26 ms on one core. */
const MAX_COUNTED = 1000
/** Notes of each rule in its record, the newest ones. */
const MAX_NOTES = 5
/** Labels that a backtest is measured by: the newest ones. */
const MAX_LABELS = 20_000

export interface Verdict {
  readonly verdict: Review['verdict']
  /** With `relabel`, and only then: the rule that should have raised it. */
  readonly rule?: string | undefined
  readonly note?: string | undefined
}

/** How often reviewers agreed with a rule. */
export interface RuleRecord {
  readonly rule: string
  /** Incidents that it raised and that were reviewed. */
  readonly reviewed: number
  /** Of these, those that were confirmed. */
  readonly confirmed: number
  /** What reviewers wrote of its incidents, newest first; five at most. */
  readonly notes: readonly ReviewNote[]
}

export interface ReviewNote {
  readonly incident: string
  readonly verdict: Review['verdict']
  readonly note: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface ReviewDeskOptions {
  readonly store: Pick<
    RecordStore,
    'incident' | 'incidents' | 'putReview' | 'removeReview' | 'review' | 'labels' | 'ordOf'
  >
  readonly rules: Pick<RuleDesk, 'get'>
  readonly clock: Clock
  readonly log: Log
  /** Hears of every review that is kept or taken back. */
  readonly onReview?: (() => void) | undefined
}

/** What people say of incidents, kept as labels of frames. */
export class ReviewDesk {
  readonly #options: ReviewDeskOptions

  constructor(options: ReviewDeskOptions) {
    this.#options = options
  }

  /** Incidents that nobody has reviewed, see `reviewQueue`; of very many the newest 5000. */
  queue(filter: IncidentFilter): QueuedIncident[] {
    const { store, rules } = this.#options
    const thresholds = new Map(rules.get().rules.map(({ id, on }) => [id, on]))
    const waiting = store.incidents({ ...filter, reviewed: false }, MAX_RANKED)
    return reviewQueue(waiting, rule => thresholds.get(rule))
  }

  /**
   * Keeps a verdict, in place of an earlier one. The incident's best frame gets the labels: of its own rule, and with
   * `relabel` also of the right one.
   * @throws API_NOT_FOUND; API_BAD_REQUEST for a rule that is missing, unknown or out of place; STORE_FAILED
   */
  async review(id: string, { verdict, rule, note }: Verdict): Promise<Incident> {
    const { store, clock, log, onReview } = this.#options
    const incident = store.incident(id)
    if (incident === undefined) throw fault('API_NOT_FOUND', `there is no incident ${id}`)
    if (verdict === 'relabel') this.#checkRule(incident, rule)
    else if (rule !== undefined)
      throw fault('API_BAD_REQUEST', `rule: only relabel takes one, not ${verdict}`)
    const frame = incident.bestFrameId
    const labels: FrameLabel[] = [{ frame, rule: incident.rule, positive: verdict === 'confirm' }]
    if (rule !== undefined) labels.push({ frame, rule, positive: true })
    const at = clock.now()
    await store.putReview({ incident: id, verdict, rule: rule ?? null, note: note ?? null, at, labels })
    log.info({ incident: id, rule: incident.rule, verdict }, 'incident reviewed')
    onReview?.()
    return incident
  }

  /** @throws API_NOT_FOUND when there is no such incident, or nobody has reviewed it; STORE_FAILED */
  async undo(id: string): Promise<Incident> {
    const { store, log, onReview } = this.#options
    const incident = store.incident(id)
    const removed = await store.removeReview(id)
    if (incident === undefined || removed === undefined)
      throw fault('API_NOT_FOUND', `there is no review of incident ${id}`)
    log.info({ incident: id, verdict: removed.verdict }, 'review taken back')
    onReview?.()
    return incident
  }

  /** Of every rule that the newest labels speak of; most reviewed first. */
  records(): RuleRecord[] {
    const { store } = this.#options
    const records = new Map<string, { reviewed: number; confirmed: number; notes: ReviewNote[] }>()
    let before: string | undefined
    for (const { incident, rule, positive } of store.labels({}, MAX_COUNTED)) {
      // The first label of a review is of the rule that raised the incident, the second of relabel's.
      if (incident === before) continue
      before = incident
      const record = records.get(rule) ?? { reviewed: 0, confirmed: 0, notes: [] }
      record.reviewed++
      if (positive) record.confirmed++
      const { verdict, note, at } = store.review(incident)!
      if (note !== null && record.notes.length < MAX_NOTES) record.notes.push({ incident, verdict, note, at })
      records.set(rule, record)
    }
    return [...records].map(([rule, record]) => ({ rule, ...record })).sort((a, b) => b.reviewed - a.reviewed)
  }

  /** Reviewed frames of a rule that are stored, the newest word on each. */
  labelsOf(rule: string): FindingsPlan['labels'] {
    const { store } = this.#options
    const known = new Map<number, boolean>()
    for (const { frame, positive } of store.labels({ rule }, MAX_LABELS)) {
      const ord = store.ordOf(frame)
      if (ord !== undefined && !known.has(ord)) known.set(ord, positive)
    }
    return [...known].map(([ord, positive]) => ({ ord, positive }))
  }

  #checkRule(incident: Incident, rule: string | undefined): void {
    if (rule === undefined) throw fault('API_BAD_REQUEST', 'rule: relabel needs the right one')
    if (rule === incident.rule) throw fault('API_BAD_REQUEST', `rule: ${rule} is the one that raised it`)
    if (!this.#options.rules.get().rules.some(({ id }) => id === rule))
      throw fault('API_BAD_REQUEST', `rule: there is no rule ${rule}`)
  }
}
