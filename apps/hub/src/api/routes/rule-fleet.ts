import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Distributor } from '../../rules/distributor.ts'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import type { SigningKey } from '../../rules/signing-key.ts'

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const Rate = nullable(Type.Number())

const Target = Type.Object({
  site: Type.String(),
  group: Type.String(),
  fingerprint: Type.String(),
  version: nullable(Type.Integer({ description: 'Of the rules that were last sent there.' })),
  issuedAt: nullable(Type.String({ format: 'date-time' })),
  rules: nullable(Type.Integer({ description: 'How many of them are for these devices.' })),
  devices: Type.Array(
    Type.Object({
      node: Type.String(),
      online: Type.Boolean(),
      rulesVersion: Type.Integer({ description: 'What the device says it applies.' }),
      rulesError: nullable(Type.String()),
    }),
  ),
  warning: nullable(
    Type.Object(
      { code: Type.String(), message: Type.String(), remedy: Type.String() },
      { description: 'Why devices with this model get no new rules.' },
    ),
  ),
})

const Learnt = Type.Object({
  rule: Type.String(),
  labels: Type.Integer({ description: 'Reviewed frames that the rule can learn from.' }),
  positives: Type.Integer(),
  calibration: nullable(Type.Enum(['platt', 'isotonic'])),
  head: Type.Boolean({ description: 'Whether a few-shot head is in use.' }),
  eceBefore: Rate,
  eceAfter: Type.Union([Type.Number(), Type.Null()], {
    description: 'Expected calibration error, by cross-validation; null where nothing was learnt.',
  }),
})

export interface RuleFleetParts {
  readonly rules: RuleDesk
  readonly distributor: Distributor
  readonly key: SigningKey
  readonly learning: boolean
}

/** What became of the rules: who has them, what they learnt, who vouches for them. */
export const ruleFleetRoutes: FastifyPluginAsyncTypebox<RuleFleetParts> = async (app, parts) => {
  const { rules, distributor, key, learning } = parts
  app.get(
    '/rules/targets',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Which rules each site, group and model of the fleet was sent, and who applies them',
        response: { 200: Type.Object({ version: Type.Integer(), targets: Type.Array(Target) }) },
      },
    },
    async () => ({
      version: rules.get().version,
      targets: distributor.targets().map(({ issuedAt, devices, ...target }) => ({
        ...target,
        issuedAt: issuedAt === null ? null : new Date(issuedAt).toISOString(),
        devices: [...devices],
      })),
    }),
  )

  app.get(
    '/rules/learning',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'What each rule learnt from reviews',
        response: { 200: Type.Object({ enabled: Type.Boolean(), rules: Type.Array(Learnt) }) },
      },
    },
    async () => ({
      enabled: learning,
      rules: [...rules.learnt()].map(([rule, report]) => ({ rule, ...report })),
    }),
  )

  app.get(
    '/rules/key',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'The public key that rules are signed with (Ed25519)',
        response: {
          200: Type.Object({ keyId: Type.String(), publicKey: Type.String({ description: 'PEM (SPKI).' }) }),
        },
      },
    },
    async () => ({ keyId: key.keyId, publicKey: key.publicKeyPem }),
  )
}
