import type { IncidentStep } from '@sightline/edge-agent/moderation/incidents.js'
import type { FrameRecord } from '@sightline/edge-agent/outbox/records.js'
import { AXES, FINGERPRINT } from './bundles.ts'

export function frameRecord(change: Partial<FrameRecord> = {}): FrameRecord {
  return {
    fingerprint: FINGERPRINT,
    camera: 'gate',
    capturedAt: 1_700_000_000_000,
    vector: AXES[0]!,
    verdicts: [{ rule: 'fire', score: 0.9, similarity: 0.4, fired: true }],
    ...change,
  }
}

export function incidentStep(change: Partial<IncidentStep> = {}): IncidentStep {
  return {
    phase: 'new',
    incident: '01HZZZZZZZZZZZZZZZZZZZZZZZ',
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high',
    camera: 'gate',
    at: 1_700_000_000_000,
    startedAt: 1_700_000_000_000,
    score: 0.9,
    peakScore: 0.9,
    frames: 1,
    bestFrame: 1,
    ...change,
  } as IncidentStep
}
