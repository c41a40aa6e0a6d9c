import type { ActionQueue } from './actions/action-queue.ts'
import type { CameraGroup } from './camera/camera-group.ts'
import type { LateModel } from './late-model.ts'
import type { Metrics } from './metrics.ts'
import type { RuleCache } from './moderation/rule-cache.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { AgentSettings } from './settings.ts'
import { hottestZoneC } from './temperature.ts'
import type { SelfReport } from './uplink/uplink.ts'

/** The state holds no more names. */
const MAX_MISSING_ACTIONS = 64

export interface ReportedParts {
  readonly model: Pick<LateModel, 'fingerprint' | 'provider' | 'starting'>
  readonly rules: RuleCache
  readonly outbox: Pick<Outbox, 'counts'>
  readonly actions: ActionQueue
  readonly cameras: Pick<CameraGroup, 'statuses'>
  readonly metrics: Metrics
}

export interface SelfReportOptions {
  readonly version: string
  readonly settings: Pick<AgentSettings, 'outbox'>
  readonly parts: ReportedParts
  /** Group of devices whose rules are in force. */
  readonly group: () => string
  readonly configVersion: () => number
  readonly uptimeMs: () => number
}

/** What an agent tells its hub of itself. */
export function selfReport({ version, settings, parts, group, configVersion, uptimeMs }: SelfReportOptions) {
  const { model, rules, outbox, actions, cameras, metrics } = parts
  return {
    state: () => {
      const missing = actions.missing(rules.current?.all() ?? [])
      return {
        agent: version,
        fingerprint: model.fingerprint,
        provider: model.provider,
        ...(model.starting === undefined ? {} : { starting: model.starting }),
        rulesGroup: group(),
        rulesVersion: rules.version,
        configVersion: configVersion(),
        ...(rules.error === undefined ? {} : { rulesError: rules.error }),
        ...(missing.length === 0 ? {} : { missingActions: missing.slice(0, MAX_MISSING_ACTIONS) }),
        cameras: cameras.statuses(),
      }
    },
    stats: () => {
      const { records, bytes, dropped, droppedEvents, droppedThumbnails } = outbox.counts
      const temperatureC = hottestZoneC()
      return {
        uptimeSeconds: uptimeMs() / 1000,
        framesSeen: metrics.framesSeen,
        framesGated: metrics.framesGated,
        framesEmbedded: metrics.framesEmbedded,
        framesFailed: metrics.framesFailed,
        outboxRecords: records,
        outboxBytes: bytes,
        outboxMaxBytes: settings.outbox.maxBytes,
        outboxDropped: dropped,
        outboxDroppedEvents: droppedEvents,
        outboxDroppedThumbnails: droppedThumbnails,
        encodeP50Ms: metrics.encode.percentile(50),
        decisionP95Ms: metrics.decision.percentile(95),
        actionsSent: metrics.actionsSent,
        actionsFailed: metrics.actionsFailed,
        actionsDropped: metrics.actionsDropped,
        rssBytes: process.memoryUsage.rss(),
        ...(temperatureC === undefined ? {} : { temperatureC }),
        cameras: cameras.statuses(),
      }
    },
  } satisfies SelfReport
}
