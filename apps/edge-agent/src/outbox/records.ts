import {
  decodeMessagePack,
  EmbeddingItem,
  encodeMessagePack,
  INCIDENT_PHASES,
  IncidentEvent,
  type Verdict,
  vectorToBytes,
} from '@sightline/core'
import { Type } from 'typebox'
import type { IncidentStep } from '../moderation/incidents.ts'

/** An embedded frame before the outbox gives it its place in the sequence. */
export interface FrameRecord {
  /** Of the model that made the vector; kept with it, since a record may outlive the model. */
  readonly fingerprint: string
  readonly camera: string
  readonly capturedAt: number
  /** L2-normalised. */
  readonly vector: Float32Array
  readonly verdicts: readonly Verdict[]
  /** JPEG. */
  readonly thumbnail?: Uint8Array | undefined
}

const { seq: _frameSeq, ...frameFields } = EmbeddingItem.properties

const StoredFrame = Type.Object(
  { fingerprint: Type.String({ minLength: 1 }), ...frameFields },
  { additionalProperties: false },
)

const {
  v: _version,
  session: _session,
  seq: _eventSeq,
  phase: _phase,
  ...eventFields
} = IncidentEvent.properties

const StoredEvent = Type.Object(
  { phase: Type.Enum([...INCIDENT_PHASES]), ...eventFields },
  { additionalProperties: false },
)

export interface OutgoingFrame {
  readonly fingerprint: string
  readonly item: EmbeddingItem
}

export interface OutgoingEvent {
  readonly seq: number
  readonly step: IncidentStep
}

/** The thumbnail is kept apart. */
export function encodeFrame({ vector, verdicts, ...rest }: Omit<FrameRecord, 'thumbnail'>): Uint8Array {
  return encodeMessagePack({ ...rest, vector: vectorToBytes(vector), verdicts })
}

/** @throws PAYLOAD_INVALID */
export function decodeFrame(seq: number, bytes: Uint8Array, thumbnail?: Uint8Array): OutgoingFrame {
  const { fingerprint, ...fields } = decodeMessagePack(StoredFrame, bytes)
  return { fingerprint, item: { seq, ...fields, ...(thumbnail === undefined ? {} : { thumbnail }) } }
}

export function encodeEvent(step: IncidentStep): Uint8Array {
  return encodeMessagePack(step)
}

/** @throws PAYLOAD_INVALID */
export function decodeEvent(bytes: Uint8Array): IncidentStep {
  return decodeMessagePack(StoredEvent, bytes) as IncidentStep
}

const PAGE_BYTES = 4096

/** What a value costs on disk: LMDB gives values that do not fit half a page pages of their own. */
export function diskBytes(value: Uint8Array): number {
  return value.length < 1900
    ? value.length + 64
    : Math.ceil((value.length + 16) / PAGE_BYTES) * PAGE_BYTES + 64
}
