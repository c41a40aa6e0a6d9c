import { type Static, Type } from 'typebox'
import { Severity } from './rules.ts'
import { NAME_PATTERN } from './topics.ts'

const Name = Type.String({ pattern: NAME_PATTERN })
const Millis = Type.Integer({ minimum: 0, maximum: 8.64e15, description: 'Milliseconds since the epoch.' })
export const Seq = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
export const Session = Type.String({
  pattern: '^[0-9A-Z]{26}$',
  description: 'ULID of the outbox; new only when the outbox is.',
})
const SeqRange = Type.Tuple([Seq, Seq], { description: 'First and last, both included.' })
const Fingerprint = Type.String({ minLength: 1, maxLength: 160 })
const Bytes = Type.Refine(
  Type.Unsafe<Uint8Array>({}),
  value => value instanceof Uint8Array,
  () => 'must be bytes',
)

/** What a rule said of a frame. `score` is a probability, `similarity` the raw cosine of the best positive prompt. */
export const Verdict = Type.Object(
  {
    rule: Type.String({ minLength: 1, maxLength: 64 }),
    score: Type.Number({ minimum: 0, maximum: 1 }),
    similarity: Type.Number({ minimum: -1.01, maximum: 1.01 }),
    fired: Type.Boolean(),
  },
  { additionalProperties: false },
)
export type Verdict = Static<typeof Verdict>

export const EmbeddingItem = Type.Object(
  {
    seq: Seq,
    camera: Name,
    capturedAt: Millis,
    vector: Bytes,
    verdicts: Type.Array(Verdict, { maxItems: 64 }),
    thumbnail: Type.Optional(Bytes),
  },
  { additionalProperties: false },
)
export type EmbeddingItem = Static<typeof EmbeddingItem>

/** `emb`, MessagePack. Items ascend by seq; a hub treats every seq in `skipped` as received: it will never come. */
export const EmbeddingBatch = Type.Object(
  {
    v: Type.Literal(1),
    session: Session,
    fingerprint: Fingerprint,
    dim: Type.Integer({ minimum: 8, maximum: 4096 }),
    dtype: Type.Literal('f32'),
    historical: Type.Boolean(),
    skipped: Type.Array(SeqRange, { maxItems: 1024 }),
    items: Type.Array(EmbeddingItem, { maxItems: 256 }),
  },
  { additionalProperties: false },
)
export type EmbeddingBatch = Static<typeof EmbeddingBatch>

export const INCIDENT_PHASES = ['new', 'update', 'end'] as const

/** `event`, JSON: one step in the life of an incident. Shares the outbox's sequence with the embeddings. */
export const IncidentEvent = Type.Object(
  {
    v: Type.Literal(1),
    session: Session,
    seq: Seq,
    phase: Type.Enum([...INCIDENT_PHASES]),
    incident: Type.String({ pattern: '^[0-9A-Z]{26}$' }),
    rule: Type.String({ minLength: 1, maxLength: 64 }),
    ruleName: Type.String({ minLength: 1, maxLength: 120 }),
    rulesVersion: Type.Integer({ minimum: 1 }),
    severity: Severity,
    camera: Name,
    at: Millis,
    startedAt: Millis,
    score: Type.Number({ minimum: 0, maximum: 1 }),
    peakScore: Type.Number({ minimum: 0, maximum: 1 }),
    frames: Type.Integer({ minimum: 1 }),
    /** Seq of the embedding record with the highest score so far. */
    bestFrame: Seq,
  },
  { additionalProperties: false },
)
export type IncidentEvent = Static<typeof IncidentEvent>

export const CameraStatus = Type.Object(
  {
    camera: Name,
    status: Type.Union([Type.Literal('starting'), Type.Literal('running'), Type.Literal('failed')]),
    lastFrameAt: Type.Union([Millis, Type.Null()]),
    framesPerSecond: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'Frames that the camera gave of late; absent before the second.',
      }),
    ),
    decisionP95Ms: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'Frame in to verdicts durably recorded, of its newest frames; absent before the first.',
      }),
    ),
    error: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false },
)
export type CameraStatus = Static<typeof CameraStatus>

export const NodeStarting = Type.Object(
  {
    phase: Type.Enum(['opening-model', 'building-engine', 'choosing-provider']),
    detail: Type.Optional(Type.String({ maxLength: 200 })),
    /** 0 to 1, where it is known. */
    progress: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    since: Millis,
    /** Why the agent gave up; it has ended, or is about to. */
    error: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false },
)
export type NodeStarting = Static<typeof NodeStarting>

/** `state`, JSON, retained; the will is the same document with online false. */
export const NodeState = Type.Object(
  {
    v: Type.Literal(1),
    online: Type.Boolean(),
    at: Millis,
    session: Session,
    agent: Type.String({ maxLength: 40, description: 'Version of the agent.' }),
    fingerprint: Fingerprint,
    provider: Type.String({
      maxLength: 40,
      description: 'Execution provider in use; empty while there is none.',
    }),
    /** What the agent does before it can judge frames; absent once it can. */
    starting: Type.Optional(NodeStarting),
    rulesGroup: Name,
    rulesVersion: Type.Integer({ minimum: 0, description: '0: no bundle applied yet.' }),
    rulesError: Type.Optional(
      Type.String({ maxLength: 500, description: 'Why the newest bundle was rejected.' }),
    ),
    /** Version of the desired configuration that is applied; 0: the device's own settings alone. */
    configVersion: Type.Integer({ minimum: 0 }),
    /** Actions that rules name and this device does not have. */
    missingActions: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 })),
    cameras: Type.Array(CameraStatus, { maxItems: 256 }),
  },
  { additionalProperties: false },
)
export type NodeState = Static<typeof NodeState>

const Count = Type.Integer({ minimum: 0 })

/** `stats`, JSON, QoS 0. Counters since the agent started. */
export const NodeStats = Type.Object(
  {
    v: Type.Literal(1),
    at: Millis,
    uptimeSeconds: Type.Number({ minimum: 0 }),
    framesSeen: Count,
    framesGated: Count,
    framesEmbedded: Count,
    framesFailed: Count,
    outboxRecords: Count,
    outboxBytes: Count,
    /** Beyond it the oldest thumbnails are dropped, then the oldest frames. */
    outboxMaxBytes: Type.Optional(Count),
    /** Records given up for want of space, and of those steps of incidents; frames that gave up their thumbnail. */
    outboxDropped: Count,
    outboxDroppedEvents: Type.Optional(Count),
    outboxDroppedThumbnails: Type.Optional(Count),
    encodeP50Ms: Type.Number({ minimum: 0 }),
    decisionP95Ms: Type.Number({ minimum: 0 }),
    /** Actions that incidents triggered: done, given up, and dropped because too many waited. */
    actionsSent: Type.Optional(Count),
    actionsFailed: Type.Optional(Count),
    actionsDropped: Type.Optional(Count),
    rssBytes: Count,
    temperatureC: Type.Optional(
      Type.Number({
        minimum: -50,
        maximum: 200,
        description: 'Of the hottest zone; absent where none is measured.',
      }),
    ),
    cameras: Type.Array(CameraStatus, { maxItems: 256 }),
  },
  { additionalProperties: false },
)
export type NodeStats = Static<typeof NodeStats>

/**
 * `ack`, JSON: what the hub has durably stored of one session. Everything up to and including `upTo` (0: nothing yet),
 * and the later `ranges` that arrived ahead of a gap. The edge deletes on this alone.
 */
export const Ack = Type.Object(
  {
    v: Type.Literal(1),
    session: Session,
    upTo: Type.Integer({ minimum: 0 }),
    ranges: Type.Array(SeqRange, { maxItems: 256 }),
  },
  { additionalProperties: false },
)
export type Ack = Static<typeof Ack>
