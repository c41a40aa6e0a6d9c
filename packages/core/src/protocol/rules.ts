import { type Static, Type } from 'typebox'

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const

export const Severity = Type.Enum([...SEVERITIES])

const Prompt = Type.String({ minLength: 1, maxLength: 1000 })

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

const ClockTime = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' })

/** When a rule is on duty. Outside it raises nothing, and what it raised ends. */
export const Schedule = Type.Object(
  {
    timeZone: Type.String({
      minLength: 1,
      maxLength: 64,
      default: 'UTC',
      description: 'IANA name, as Europe/Berlin.',
    }),
    windows: Type.Array(
      Type.Object(
        {
          days: Type.Array(Type.Enum([...WEEKDAYS]), { minItems: 1, maxItems: 7, default: [...WEEKDAYS] }),
          from: { ...ClockTime, default: '00:00' },
          to: {
            ...ClockTime,
            default: '00:00',
            description: 'Not included. At or before `from`: on the day after the one that is named.',
          },
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 32 },
    ),
  },
  { additionalProperties: false },
)

export type Schedule = Static<typeof Schedule>

const ExampleId = Type.String({ minLength: 1, maxLength: 260 })
const Glob = Type.String({ minLength: 1, maxLength: 130 })

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
    positiveExamples: Type.Array(ExampleId, {
      maxItems: 64,
      default: [],
      description:
        'Pictures of what the rule looks for: ids of stored frames, or of uploaded examples (ex:…).',
    }),
    negativeExamples: Type.Array(ExampleId, {
      maxItems: 64,
      default: [],
      description: 'Pictures of what it must not be confused with.',
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
    reviewAt: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description:
          'Review band: from this score up to `on` a frame is worth a look, but raises no incident. Absent: moderations take `off`.',
      }),
    ),
    minSimilarity: Type.Number({
      minimum: -1,
      maximum: 1,
      default: 0.1,
      description: 'Raw cosine that the best positive prompt must reach before the score counts.',
    }),
    minExampleSimilarity: Type.Number({
      minimum: -1,
      maximum: 1,
      default: 0.8,
      description: 'Raw cosine to a positive example that lets the score count whatever the prompts say.',
    }),
    minFrames: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'Frames to fire: in a row, or within `windowSeconds`.',
    }),
    windowSeconds: Type.Number({
      minimum: 0,
      maximum: 86400,
      default: 0,
      description: 'Above 0: the frames of `minFrames` need not be in a row, only within so long.',
    }),
    offDelaySeconds: Type.Number({ minimum: 0, maximum: 86400, default: 0 }),
    cooldownSeconds: Type.Number({ minimum: 0, maximum: 86400, default: 0 }),
    cameras: Type.Array(Glob, {
      minItems: 1,
      maxItems: 64,
      default: ['*'],
      description: 'Camera names; * stands for any run of characters.',
    }),
    sites: Type.Array(Glob, {
      minItems: 1,
      maxItems: 64,
      default: ['*'],
      description: 'Sites whose devices get the rule.',
    }),
    groups: Type.Array(Glob, {
      minItems: 1,
      maxItems: 64,
      default: ['*'],
      description: 'Groups of devices (`rules.group` of the agent) that get the rule.',
    }),
    schedule: Type.Optional(Schedule),
    actions: Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }), {
      maxItems: 16,
      default: [],
      description:
        "Names of actions in the agents' own settings that incidents of the rule trigger. What they do is decided on the device.",
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

const Row = Type.Integer({ minimum: 0 })

/** A rule as the edge evaluates it: prompts and examples are rows of the bundle's vector matrix. */
export const CompiledRule = Type.Object(
  {
    id: Rule.properties.id,
    name: Rule.properties.name,
    category: Rule.properties.category,
    severity: Rule.properties.severity,
    positives: Type.Array(Row, { minItems: 1 }),
    negatives: Type.Array(Row),
    positiveExamples: Type.Array(Row),
    negativeExamples: Type.Array(Row),
    on: Rule.properties.on,
    off: Rule.properties.off,
    reviewAt: Rule.properties.reviewAt,
    minSimilarity: Rule.properties.minSimilarity,
    minExampleSimilarity: Rule.properties.minExampleSimilarity,
    minFrames: Rule.properties.minFrames,
    windowSeconds: Rule.properties.windowSeconds,
    offDelaySeconds: Rule.properties.offDelaySeconds,
    cooldownSeconds: Rule.properties.cooldownSeconds,
    cameras: Rule.properties.cameras,
    schedule: Rule.properties.schedule,
    actions: Rule.properties.actions,
    /** Few-shot head, learnt from reviewed frames: `scale` times the cosine with its row, plus `bias`, in nats. */
    head: Type.Optional(
      Type.Object(
        {
          row: Row,
          scale: Type.Number({ minimum: 0, maximum: 1e6 }),
          bias: Type.Number({ minimum: -1e6, maximum: 1e6 }),
        },
        { additionalProperties: false },
      ),
    ),
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
    issuedAt: Type.Integer({
      minimum: 0,
      description:
        'Hub time, milliseconds since the epoch. Grows with every bundle of a topic: the newest is in force.',
    }),
    fingerprint: Type.String({ minLength: 1 }),
    dim: Type.Integer({ minimum: 8, maximum: 4096 }),
    logitScale: Type.Number({ exclusiveMinimum: 0 }),
    rules: Type.Array(CompiledRule, { maxItems: 10_000 }),
    /** Rows of prompts that every rule competes with. */
    neutral: Type.Array(Row),
    /** Row-major float32, little-endian, [rows, dim], each row L2-normalised. */
    vectors: Bytes,
  },
  { additionalProperties: false },
)

export type RuleBundle = Static<typeof RuleBundle>

const ShortBytes = Type.Refine(
  Bytes,
  value => value instanceof Uint8Array && value.byteLength <= 1024,
  () => 'must be bytes, 1024 at most',
)

/** What lies on the rules topic: a bundle and who vouches for it. */
export const SignedRules = Type.Object(
  {
    v: Type.Literal(1),
    keyId: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'See `signingKeyId`.' }),
    /** Ed25519 (RFC 8032) over topic and bundle, see `signBundle`: a bundle counts only where it was sent. */
    signature: Bytes,
    /** The signer's, SPKI in DER. Read only by devices that have no keys of their own: they trust the first one they see. */
    publicKey: Type.Optional(ShortBytes),
    /** A `RuleBundle` as MessagePack. */
    bundle: Bytes,
  },
  { additionalProperties: false },
)

export type SignedRules = Static<typeof SignedRules>
