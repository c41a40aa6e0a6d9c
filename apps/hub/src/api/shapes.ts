import {
  CameraStatus,
  NAME_PATTERN,
  NodeStarting,
  NodeStats,
  Rule,
  SEVERITIES,
  Verdict,
} from '@sightline/core'
import { Type } from 'typebox'
import { DRIFT_STATES, HEALTH_REASONS } from '../fleet/health.ts'
import { REVIEW_VERDICTS } from '../store/record-store.ts'

/** Shapes of the HTTP API; the OpenAPI document and the response serialisers are made from these. */

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })
const Name = Type.String({ pattern: NAME_PATTERN })

/** No control characters, no space at either end. */
export const Tag = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[^\\s\\u0000-\\u001f](?:[^\\u0000-\\u001f]*[^\\s\\u0000-\\u001f])?$',
})

export const FilterShape = {
  site: Type.Optional(Name),
  node: Type.Optional(Name),
  camera: Type.Optional(Name),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Captured at or after (RFC 3339).' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Captured before (RFC 3339).' })),
}

export const Limit = (fallback: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, default: fallback }))

export const FrameShape = Type.Object({
  id: Type.String(),
  site: Name,
  node: Name,
  camera: Name,
  capturedAt: Time,
  receivedAt: Time,
  historical: Type.Boolean(),
  verdicts: Type.Array(Verdict),
  tags: Type.Array(Type.String(), { description: 'What people call it by.' }),
  thumbnailUrl: nullable(Type.String()),
})

export const IncidentShape = Type.Object({
  id: Type.String(),
  rule: Type.String(),
  ruleName: Type.String(),
  severity: Type.Enum([...SEVERITIES]),
  site: Name,
  node: Name,
  camera: Name,
  startedAt: Time,
  updatedAt: Time,
  endedAt: nullable(Time),
  peakScore: Type.Number(),
  frames: Type.Integer(),
  bestFrameId: Type.String(),
  thumbnailUrl: nullable(Type.String()),
  review: nullable(
    Type.Object(
      {
        verdict: Type.Enum([...REVIEW_VERDICTS]),
        rule: nullable(Type.String()),
        note: nullable(Type.String()),
        at: Time,
      },
      { description: 'What a person said of it.' },
    ),
  ),
})

export const NodeShape = Type.Object({
  site: Name,
  node: Name,
  online: Type.Boolean(),
  health: Type.Object({
    status: Type.Enum(['healthy', 'degraded', 'offline']),
    reasons: Type.Array(Type.Object({ code: Type.Enum([...HEALTH_REASONS]), message: Type.String() })),
  }),
  config: Type.Object(
    {
      desired: nullable(Type.Integer()),
      inForce: nullable(Type.Integer()),
      drift: Type.Enum([...DRIFT_STATES]),
    },
    { description: 'Versions of the configuration; desired is null when nothing is desired.' },
  ),
  lastSeenAt: Time,
  lastDataAt: nullable(Time),
  agent: nullable(Type.String()),
  provider: nullable(Type.String()),
  starting: Type.Optional(
    Type.Object(
      { ...NodeStarting.properties, since: Time },
      { description: 'What the device does before it can judge frames, or why it gave up.' },
    ),
  ),
  fingerprint: nullable(Type.String()),
  rulesVersion: nullable(Type.Integer()),
  rulesError: Type.Optional(Type.String()),
  cameras: Type.Array(
    Type.Object({ ...CameraStatus.properties, lastFrameAt: nullable(Time) }, { additionalProperties: false }),
  ),
  stored: nullable(
    Type.Object(
      {
        upTo: Type.Integer(),
        ranges: Type.Array(
          Type.Array(Type.Integer(), { minItems: 2, maxItems: 2, description: 'First and last.' }),
        ),
      },
      {
        description:
          'What is durably stored of the current session: all up to upTo, and ranges beyond a gap.',
      },
    ),
  ),
  stats: nullable(NodeStats),
})

export const RulesShape = Type.Object({
  version: Type.Integer(),
  updatedAt: Time,
  rules: Type.Array(Rule),
  warnings: Type.Array(Type.Object({ rule: Type.String(), message: Type.String() })),
})
