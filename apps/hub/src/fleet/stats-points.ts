import type { StatsSample } from './stats-history.ts'

const MAX_POINTS = 360
const MIN_STEP_MS = 60_000
/** Reports come every minute unless somebody set another interval; after so long without any, nothing is known. */
const GAP_STEPS = 3

/** One step of a device's time. Rates and losses are of the time since the step before; depths and durations are the worst within. */
export interface StatsPoint {
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
  /** True when nothing is known of the time before: a chart has a gap here. */
  readonly gap: boolean
  readonly seenPerSecond: number
  readonly embeddedPerSecond: number
  readonly failedFrames: number
  readonly encodeP50Ms: number
  readonly decisionP95Ms: number
  readonly queueRecords: number
  readonly queueBytes: number
  readonly lostRecords: number
  readonly lostEvents: number
  readonly lostThumbnails: number
  readonly rssBytes: number
}

/** Makes steps of reports, which ascend in time; counters begin anew with every start of an agent. */
export function statsPoints(
  samples: readonly StatsSample[],
  { from, now }: { readonly from: number; readonly now: number },
): StatsPoint[] {
  const stepMs = Math.max(MIN_STEP_MS, Math.ceil((now - from) / MAX_POINTS / MIN_STEP_MS) * MIN_STEP_MS)
  const points: StatsPoint[] = []
  let before: StatsSample | undefined
  for (const steps of bySteps(samples, stepMs)) {
    const last = steps.at(-1)!
    if (last.at >= from && last.at <= now) points.push(pointOf(steps, before, stepMs))
    before = last
  }
  return points
}

function* bySteps(samples: readonly StatsSample[], stepMs: number): Iterable<readonly StatsSample[]> {
  let step: StatsSample[] = []
  for (const sample of samples) {
    const first = step[0]
    if (first !== undefined && Math.floor(first.at / stepMs) !== Math.floor(sample.at / stepMs)) {
      yield step
      step = []
    }
    step.push(sample)
  }
  if (step.length > 0) yield step
}

function pointOf(step: readonly StatsSample[], before: StatsSample | undefined, stepMs: number): StatsPoint {
  const last = step.at(-1)!
  // A counter that went back belongs to another start of the agent.
  const restarted = before === undefined || last.uptimeSeconds < before.uptimeSeconds
  const seconds = restarted ? last.uptimeSeconds : (last.at - before.at) / 1000
  const grown = (read: (sample: StatsSample) => number) =>
    restarted ? read(last) : Math.max(0, read(last) - read(before))
  const rate = (read: (sample: StatsSample) => number) => (seconds > 0 ? grown(read) / seconds : 0)
  const worst = (read: (sample: StatsSample) => number) => Math.max(...step.map(read))
  // The outbox counts on through restarts; what was lost before the first report that is known was not lost in this step.
  const lost = (read: (sample: StatsSample) => number) => {
    if (before === undefined) return 0
    const more = read(last) - read(before)
    return more >= 0 ? more : read(last)
  }
  return {
    at: last.at,
    gap: before === undefined || last.at - before.at > GAP_STEPS * stepMs,
    seenPerSecond: rate(({ framesSeen }) => framesSeen),
    embeddedPerSecond: rate(({ framesEmbedded }) => framesEmbedded),
    failedFrames: grown(({ framesFailed }) => framesFailed),
    encodeP50Ms: worst(({ encodeP50Ms }) => encodeP50Ms),
    decisionP95Ms: worst(({ decisionP95Ms }) => decisionP95Ms),
    queueRecords: worst(({ outboxRecords }) => outboxRecords),
    queueBytes: worst(({ outboxBytes }) => outboxBytes),
    lostRecords: lost(({ outboxDropped }) => outboxDropped),
    lostEvents: lost(({ outboxDroppedEvents = 0 }) => outboxDroppedEvents),
    lostThumbnails: lost(({ outboxDroppedThumbnails = 0 }) => outboxDroppedThumbnails),
    rssBytes: worst(({ rssBytes }) => rssBytes),
  }
}
