import {
  encodeJson,
  encodeMessagePack,
  type IncidentEvent,
  type NodeState,
  vectorToBytes,
} from '@sightline/core'

export const SESSION = '01JD0000000000000000000000'
export const ADDRESS = { site: 'plant', node: 'dock' } as const

const UNIT = vectorToBytes(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0))

/** An `emb` payload with one frame per seq. */
export function batchOf(seqs: readonly number[], change: object = {}): Buffer {
  const items = seqs.map(seq => ({ seq, camera: 'yard', capturedAt: seq, vector: UNIT, verdicts: [] }))
  const head = { v: 1, session: SESSION, fingerprint: 'f', dim: 8, dtype: 'f32' }
  return Buffer.from(encodeMessagePack({ ...head, historical: false, skipped: [], items, ...change }))
}

export function stateOf(change: Partial<NodeState> = {}): Buffer {
  return encodeJson({
    v: 1,
    online: true,
    at: 1,
    session: SESSION,
    agent: '0',
    fingerprint: 'f',
    provider: 'cpu',
    rulesGroup: 'all',
    rulesVersion: 0,
    configVersion: 0,
    cameras: [],
    ...change,
  } satisfies NodeState)
}

export function eventOf(change: Partial<IncidentEvent> = {}): IncidentEvent {
  return {
    v: 1,
    session: SESSION,
    seq: 1,
    phase: 'new',
    incident: '01JD00000000000000000000AB',
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high',
    camera: 'yard',
    at: 1000,
    startedAt: 1000,
    score: 0.5,
    peakScore: 0.5,
    frames: 1,
    bestFrame: 1,
    ...change,
  }
}
