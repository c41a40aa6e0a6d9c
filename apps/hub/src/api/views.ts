import type { Scope } from '../auth/scope.ts'
import type { FleetHealth } from '../fleet/fleet-health.ts'
import type { Health, HealthReason } from '../fleet/health.ts'
import type { Frame, Incident, NodeRecord, RecordStore } from '../store/record-store.ts'

/** Store records as the API shows them: times as RFC 3339, thumbnails as links. */

export function frameView(frame: Frame) {
  return {
    id: frame.id,
    site: frame.site,
    node: frame.node,
    camera: frame.camera,
    capturedAt: iso(frame.capturedAt),
    receivedAt: iso(frame.receivedAt),
    historical: frame.historical,
    verdicts: [...frame.verdicts],
    tags: [...(frame.tags ?? [])],
    thumbnailUrl: frame.hasThumbnail ? thumbnailUrl(frame.id) : null,
  }
}

export function incidentView(incident: Incident, store: Pick<RecordStore, 'frame' | 'review'>) {
  const review = store.review(incident.id)
  return {
    id: incident.id,
    rule: incident.rule,
    ruleName: incident.ruleName,
    severity: incident.severity,
    site: incident.site,
    node: incident.node,
    camera: incident.camera,
    startedAt: iso(incident.startedAt),
    updatedAt: iso(incident.updatedAt),
    endedAt: incident.endedAt === null ? null : iso(incident.endedAt),
    peakScore: incident.peakScore,
    frames: incident.frames,
    bestFrameId: incident.bestFrameId,
    thumbnailUrl: store.frame(incident.bestFrameId)?.hasThumbnail ? thumbnailUrl(incident.bestFrameId) : null,
    review:
      review === undefined
        ? null
        : { verdict: review.verdict, rule: review.rule, note: review.note, at: iso(review.at) },
  }
}

export function nodeView(record: NodeRecord, store: RecordStore, health: Pick<FleetHealth, 'of' | 'config'>) {
  const { state, stats } = record
  const stored = state === null ? null : store.stored(record.site, record.node, state.session)
  // Stats come every minute, state at every change: the newer of the two knows the cameras best.
  const cameras =
    (stats !== null && state !== null && stats.at > state.at ? stats.cameras : state?.cameras) ?? []
  return {
    site: record.site,
    node: record.node,
    online: state?.online ?? false,
    health: healthView(health.of(record)),
    config: health.config(record),
    lastSeenAt: iso(record.lastSeenAt),
    lastDataAt: record.lastDataAt === null ? null : iso(record.lastDataAt),
    agent: state?.agent ?? null,
    provider: state?.provider || null,
    ...(state?.starting === undefined
      ? {}
      : { starting: { ...state.starting, since: iso(state.starting.since) } }),
    fingerprint: state?.fingerprint ?? null,
    rulesVersion: state?.rulesVersion ?? null,
    ...(state?.rulesError === undefined ? {} : { rulesError: state.rulesError }),
    cameras: cameras.map(camera => ({
      ...camera,
      lastFrameAt: camera.lastFrameAt === null ? null : iso(camera.lastFrameAt),
    })),
    stored:
      stored === null
        ? null
        : {
            upTo: stored.upTo,
            ranges: stored.ranges.map(([first, last]): [number, number] => [first, last]),
          },
    stats,
  }
}

/** Words of a device on settings or rules that it refused: they may name any of its cameras. */
const REFUSALS: readonly HealthReason[] = ['config-rejected', 'rules-rejected']
const NOT_SAID = 'why is told to whoever sees all of the device'

/** Without the cameras that the caller may not see, and what is said of them. */
export function limitNode(node: ReturnType<typeof nodeView>, scope: Scope): ReturnType<typeof nodeView> {
  if (!scope.limited) return node
  const { site, node: name } = node
  const visible = <Part extends { readonly camera: string }>(parts: readonly Part[]) =>
    parts.filter(({ camera }) => scope.sees({ site, node: name, camera }))
  return {
    ...node,
    cameras: visible(node.cameras),
    health: {
      ...node.health,
      // What is said of a camera names it.
      reasons: node.health.reasons
        .filter(({ code }) => code !== 'camera-failed')
        .map(reason => (REFUSALS.includes(reason.code) ? { ...reason, message: NOT_SAID } : reason)),
    },
    ...(node.rulesError === undefined ? {} : { rulesError: NOT_SAID }),
    // The figures of a device are of all its cameras.
    stats: null,
  }
}

export function iso(millis: number): string {
  return new Date(millis).toISOString()
}

function healthView({ status, reasons }: Health) {
  return { status, reasons: [...reasons] }
}

function thumbnailUrl(id: string): string {
  return `/api/v1/frames/${encodeURIComponent(id)}/thumbnail`
}
