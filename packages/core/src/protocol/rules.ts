import { type Static, Type } from 'typebox'

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const

export const Severity = Type.Enum([...SEVERITIES])

const Prompt = Type.String({ minLength: 1, maxLength: 1000 })

/** A zero-shot moderation rule as a person writes it. */
export const Rule = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }),
    name: Type.String({ minLength: 1, maxLength: 120 }),
    category: Type.String({ pattern: '^[a-z0-9-]+(/[a-z0-9-]+)*$', maxLength: 120, default: 'general' }),
    severity: Type.Enum([...SEVERITIES], { default: 'medium' }),
    enabled: Type.Boolean({ default: true }),
    positives: Type.Array(Prompt, { minItems: 1, maxItems: 64, description: 'What the rule looks for.' }),
    negatives: Type.Array(Prompt, {
      maxItems: 64,
      default: [],
      description: 'What it must not be confused with.',
    }),
    templates: Type.Array(Type.String({ pattern: '\\{\\}', maxLength: 200 }), {
      minItems: 1,
      maxItems: 100,
      default: ['{}'],
      description: 'Prompt ensemble: every prompt is put in place of {}, embedded, averaged and normalised.',
    }),
    on: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.7,
      description: 'Score at which it fires.',
    }),
    off: Type.Number({ minimum: 0, maximum: 1, default: 0.5, description: 'Score below which it lets go.' }),
    minSimilarity: Type.Number({
      minimum: -1,
      maximum: 1,
      default: 0.1,
      description: 'Raw cosine that the best positive must reach before the score counts.',
    }),
    minFrames: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'Consecutive frames to fire.',
    }),
    offDelaySeconds: Type.Number({ minimum: 0, maximum: 86400, default: 0 }),
    cooldownSeconds: Type.Number({ minimum: 0, maximum: 86400, default: 0 }),
    cameras: Type.Array(Type.String({ minLength: 1, maxLength: 130 }), {
      minItems: 1,
      maxItems: 64,
      default: ['*'],
      description: 'Camera names; * stands for any run of characters.',
    }),
  },
  { additionalProperties: false },
)

export type Rule = Static<typeof Rule>

/** What turns a rule's log-odds z into a probability that its reviewers' labels bear out. Never falls when z grows. */
export const Calibration = Type.Union([
  Type.Object(
    {
      method: Type.Literal('platt'),
      a: Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }),
      b: Type.Number({ minimum: -1e6, maximum: 1e6 }),
    },
    { additionalProperties: false, description: '1 / (1 + exp(-(a z + b)))' },
  ),
  Type.Object(
    {
      method: Type.Literal('isotonic'),
      points: Type.Refine(
        Type.Array(Type.Tuple([Type.Number(), Type.Number({ minimum: 0, maximum: 1 })]), {
          minItems: 1,
          maxItems: 256,
        }),
        points => points.every(([z, p], i) => i === 0 || (z > points[i - 1]![0] && p >= points[i - 1]![1])),
        () => 'z must rise and p must not fall from point to point',
      ),
    },
    { additionalProperties: false, description: 'Straight between the points (z, p), flat outside.' },
  ),
])

export type Calibration = Static<typeof Calibration>

/** A rule as the edge evaluates it: prompts are rows of the bundle's vector matrix. */
export const CompiledRule = Type.Object(
  {
    id: Rule.properties.id,
    name: Rule.properties.name,
    category: Rule.properties.category,
    severity: Rule.properties.severity,
    positives: Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 }),
    negatives: Type.Array(Type.Integer({ minimum: 0 })),
    on: Rule.properties.on,
    off: Rule.properties.off,
    minSimilarity: Rule.properties.minSimilarity,
    minFrames: Rule.properties.minFrames,
    offDelaySeconds: Rule.properties.offDelaySeconds,
    cooldownSeconds: Rule.properties.cooldownSeconds,
    cameras: Rule.properties.cameras,
    /** Absent until enough frames were reviewed: the log-odds are then taken at their word. */
    calibration: Type.Optional(Calibration),
  },
  { additionalProperties: false },
)

export type CompiledRule = Static<typeof CompiledRule>

const Bytes = Type.Refine(
  Type.Unsafe<Uint8Array>({}),
  value => value instanceof Uint8Array,
  () => 'must be bytes',
)

/** Retained on the rules topic: everything an edge needs to judge frames without the hub. */
export const RuleBundle = Type.Object(
  {
    v: Type.Literal(1),
    version: Type.Integer({ minimum: 1, description: 'Grows by one with every change of the rules.' }),
    issuedAt: Type.Integer({ minimum: 0, description: 'Milliseconds since the epoch.' }),
    fingerprint: Type.String({ minLength: 1 }),
    dim: Type.Integer({ minimum: 8, maximum: 4096 }),
    logitScale: Type.Number({ exclusiveMinimum: 0 }),
    rules: Type.Array(CompiledRule, { maxItems: 10_000 }),
    /** Rows of prompts that every rule competes with. */
    neutral: Type.Array(Type.Integer({ minimum: 0 })),
    /** Row-major float32, little-endian, [rows, dim], each row L2-normalised. */
    vectors: Bytes,
  },
  { additionalProperties: false },
)

export type RuleBundle = Static<typeof RuleBundle>
