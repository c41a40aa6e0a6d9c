import { type Static, Type } from 'typebox'
import { NAME_PATTERN } from './topics.ts'

const Millis = Type.Integer({ minimum: 0, maximum: 8.64e15, description: 'Milliseconds since the epoch.' })
const Version = Type.Integer({ minimum: 1, description: 'Grows with every change of the document.' })
const Hash = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'SHA-256 of `settings`, see `settingsHash`.',
})
const Id = Type.String({ pattern: '^[0-9A-Za-z_-]{8,64}$' })

/** `cfg/desired`, JSON, retained: settings of one device that its hub decides. Laid over the device's own. */
export const DesiredConfig = Type.Object(
  {
    v: Type.Literal(1),
    version: Version,
    hash: Hash,
    issuedAt: Millis,
    /** Part of the agent's settings; which part, the agent's `RemoteSettings` says. Checked there, not here. */
    settings: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false },
)
export type DesiredConfig = Static<typeof DesiredConfig>

/** `cfg/reported`, JSON, retained: what the device made of it, and the settings that are in force. */
export const ReportedConfig = Type.Object(
  {
    v: Type.Literal(1),
    /** Of the desired document that this answers; 0 when there was none. */
    version: Type.Integer({ minimum: 0 }),
    hash: Type.Union([Hash, Type.Null()]),
    status: Type.Enum(['applied', 'rejected', 'own']),
    /** Why it was rejected; the last good version then stays in force. */
    error: Type.Optional(Type.String({ maxLength: 2000 })),
    /** Desired version in force; 0: the device's own settings alone. */
    inForce: Type.Integer({ minimum: 0 }),
    at: Millis,
    /** Settings in force, secrets blacked out. */
    settings: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false },
)
export type ReportedConfig = Static<typeof ReportedConfig>

export const COMMANDS = [
  'restart-camera',
  'snapshot',
  'doctor',
  'collect-logs',
  'rotate-credential',
  'update-model',
] as const

/** `cmd`, JSON: something to do once. A device that is away when it expires never does it. */
export const Command = Type.Object(
  {
    v: Type.Literal(1),
    id: Id,
    command: Type.Enum([...COMMANDS]),
    /** Of the command, checked by it: {camera}, {model}. */
    args: Type.Record(Type.String(), Type.Unknown()),
    issuedAt: Millis,
    expiresAt: Millis,
  },
  { additionalProperties: false },
)
export type Command = Static<typeof Command>

/** `reply`, JSON, QoS 1: `accepted` at once, any number of `progress`, then `done` or `failed`. */
export const CommandReply = Type.Object(
  {
    v: Type.Literal(1),
    id: Id,
    status: Type.Enum(['accepted', 'progress', 'done', 'failed']),
    at: Millis,
    message: Type.Optional(Type.String({ maxLength: 2000 })),
    /** Stable code of the failure. */
    code: Type.Optional(Type.String({ maxLength: 64 })),
    /** Of `done`; at most 256 KiB as JSON. Pictures are base64. */
    result: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
)
export type CommandReply = Static<typeof CommandReply>

/** Body of `POST /api/v1/enroll`; `token` as it was printed, `slt1` included. */
export const EnrollRequest = Type.Object(
  {
    token: Type.String({ minLength: 20, maxLength: 200 }),
    agent: Type.String({ maxLength: 40, description: 'Version of the agent.' }),
  },
  { additionalProperties: false },
)
export type EnrollRequest = Static<typeof EnrollRequest>

/** Its answer, kept by the device in a file of mode 0600. MQTT client id and user name are `site~node`. */
export const DeviceCredential = Type.Object(
  {
    v: Type.Literal(1),
    site: Type.String({ pattern: NAME_PATTERN }),
    node: Type.String({ pattern: NAME_PATTERN }),
    /** MQTT password and HTTP Basic password (RFC 7617), 32 random bytes as base64url. The hub keeps its hash only. */
    secret: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
    /** `mqtts://host:port` or, on loopback, `mqtt://host:port`. */
    brokerUrl: Type.String({ minLength: 1, maxLength: 2048 }),
    hubUrl: Type.String({ minLength: 1, maxLength: 2048 }),
    /** Certificate authority of the hub, PEM; null when it is a public one, or there is no TLS. */
    ca: Type.Union([Type.String({ maxLength: 65_536 }), Type.Null()]),
    /** Ed25519 public keys that may sign rules, PEM (SPKI). */
    rulesKeys: Type.Array(Type.String({ maxLength: 1024 }), { minItems: 1, maxItems: 8 }),
    issuedAt: Millis,
  },
  { additionalProperties: false },
)
export type DeviceCredential = Static<typeof DeviceCredential>

/** A one-time token as a person copies it: its secret and, for a hub with its own CA, the CA's SHA-256. */
export interface EnrollToken {
  /** 32 random bytes, base64url. The hub knows it by its hash. */
  readonly secret: string
  /** SHA-256 of the CA certificate (DER), hex; undefined when the system's authorities are to be trusted. */
  readonly caSha256?: string | undefined
}

/** `slt1.SECRET[.CA]`. */
export function formatEnrollToken({ secret, caSha256 }: EnrollToken): string {
  return ['slt1', secret, ...(caSha256 === undefined ? [] : [caSha256])].join('.')
}

/** Undefined when it is no token. */
export function parseEnrollToken(text: string): EnrollToken | undefined {
  const match = /^slt1\.([A-Za-z0-9_-]{20,100})(?:\.([0-9a-f]{64}))?$/.exec(text.trim())
  if (match === null) return undefined
  return { secret: match[1]!, ...(match[2] === undefined ? {} : { caSha256: match[2] }) }
}
