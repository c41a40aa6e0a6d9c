import type { IncidentStep } from '../moderation/incidents.ts'
import type { ActionNotice } from './action.ts'

/** A larger thumbnail stays at home: a thousand notices may wait. */
const MAX_THUMBNAIL_BYTES = 64 * 1024

export interface Device {
  readonly site: string
  readonly node: string
}

export interface NoticeParts {
  readonly step: IncidentStep
  readonly device: Device
  /** Of the outbox. */
  readonly session: string
  /** JPEG. */
  readonly thumbnail: Uint8Array | undefined
}

export function noticeOf({ step, device, session, thumbnail }: NoticeParts): ActionNotice {
  const { site, node } = device
  const { phase, incident, rule, ruleName, rulesVersion, severity, camera } = step
  const { at, startedAt, score, peakScore, frames, bestFrame } = step
  const small = thumbnail !== undefined && thumbnail.byteLength <= MAX_THUMBNAIL_BYTES
  return {
    type: `incident.${phase}`,
    timestamp: new Date(at).toISOString(),
    data: {
      site,
      node,
      camera,
      rule: { id: rule, name: ruleName, severity, version: rulesVersion },
      incident: {
        id: incident,
        startedAt: new Date(startedAt).toISOString(),
        score,
        peakScore,
        frames,
        bestFrameId: [site, node, session, bestFrame].join('~'),
      },
      ...(small && { thumbnail: Buffer.from(thumbnail).toString('base64') }),
    },
  }
}
