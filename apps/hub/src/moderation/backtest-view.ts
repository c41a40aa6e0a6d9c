import { frameView } from '../api/views.ts'
import type { EmbeddedFrame, RecordStore } from '../store/record-store.ts'
import type { BacktestReport } from './backtest.ts'
import type { FoundCounts, FoundFrame, FoundIncident } from './backtest-findings.ts'

type Frames = Pick<RecordStore, 'frameByOrd'>

/** A report as the API shows it: frames in full, times as RFC 3339, days as dates. */
export function backtestView(report: BacktestReport, rulesVersion: number | null, store: Frames) {
  const { rule, findings, scanned, otherModels, tookMs } = report
  const { first, last, days } = findings
  return {
    rule: { id: rule.id, name: rule.name, version: rulesVersion, on: rule.on, off: rule.off },
    scanned,
    otherModels,
    frames: findings.frames,
    fired: findings.fired,
    belowMinSimilarity: findings.belowGate,
    offDuty: findings.offDuty,
    first: first === null ? null : iso(first),
    last: last === null ? null : iso(last),
    incidents: {
      total: findings.incidents,
      /** Mean over the days on which there were frames. */
      perDay: days.length === 0 ? 0 : findings.incidents / days.length,
      days: days.map(({ day, ...counts }) => ({ day: iso(day).slice(0, 10), ...counts })),
      cameras: findings.cameras.map(camera => ({ ...sourceView(camera.source), ...countsOf(camera) })),
      top: findings.topIncidents.flatMap(incident => incidentView(incident, store)),
    },
    histogram: [...findings.histogram],
    best: findings.best.flatMap(found => scoredFrame(found, store)),
    borderline: findings.borderline.flatMap(found => scoredFrame(found, store)),
    labelled: findings.labelled,
    tookMs,
    framesPerSecond: tookMs === 0 ? 0 : Math.round((1000 * scanned) / tookMs),
  }
}

function incidentView({ source, bestOrd, ...incident }: FoundIncident, store: Frames) {
  const best = store.frameByOrd(bestOrd)
  if (best === undefined) return []
  return [
    {
      ...sourceView(source),
      startedAt: iso(incident.startedAt),
      endedAt: incident.endedAt === null ? null : iso(incident.endedAt),
      peakScore: incident.peakScore,
      frames: incident.frames,
      bestFrameId: best.id,
      thumbnailUrl: frameView(best).thumbnailUrl,
    },
  ]
}

/** What was deleted meanwhile is left out. */
function scoredFrame({ ord, score, similarity }: FoundFrame, store: Frames) {
  const frame: EmbeddedFrame | undefined = store.frameByOrd(ord)
  return frame === undefined ? [] : [{ ...frameView(frame), score, similarity }]
}

function sourceView(source: string) {
  const [site = '', node = '', camera = ''] = source.split('~')
  return { site, node, camera }
}

function countsOf({ frames, fired, incidents }: FoundCounts): FoundCounts {
  return { frames, fired, incidents }
}

function iso(millis: number): string {
  return new Date(millis).toISOString()
}
