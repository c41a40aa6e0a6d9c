import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { People } from '../../auth/people.ts'
import type { ApiKey } from '../../auth/person.ts'
import { actorOf } from '../actor.ts'
import { RoleShape, ScopeShape } from './users.ts'

const DAY_MS = 86_400_000

const NullableTime = Type.Union([Type.String({ format: 'date-time' }), Type.Null()])
const KeyShape = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: RoleShape,
  scope: ScopeShape,
  createdAt: Type.String({ format: 'date-time' }),
  createdBy: Type.String(),
  expiresAt: NullableTime,
  lastUsedAt: NullableTime,
})

export const keyRoutes: FastifyPluginAsyncTypebox<{ people: Pick<People, 'keys'> }> = async (
  app,
  { people: { keys } },
) => {
  app.get(
    '/keys',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'API keys, newest first, those that expired included',
        response: { 200: Type.Object({ keys: Type.Array(KeyShape) }) },
      },
    },
    async () => ({ keys: keys.list().map(keyView) }),
  )

  app.post(
    '/keys',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Make an API key',
        description:
          'To be sent as authorization: Bearer slk_…. It is in this answer alone: the hub keeps its hash.',
        body: Type.Object(
          {
            name: Type.String({ minLength: 1, maxLength: 64, description: 'What it is for.' }),
            role: RoleShape,
            scope: Type.Optional(ScopeShape),
            expiresInDays: Type.Optional(
              Type.Integer({ minimum: 1, maximum: 3650, description: 'Default: never.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 201: Type.Object({ key: Type.String(), ...KeyShape.properties }) },
      },
    },
    async (request, reply) => {
      const { scope = null, expiresInDays, ...given } = request.body
      const lifeMs = expiresInDays === undefined ? undefined : expiresInDays * DAY_MS
      const { key, secret } = await keys.issue({ ...given, scope, lifeMs }, actorOf(request))
      reply.status(201).header('cache-control', 'no-store')
      return { key: secret, ...keyView(key) }
    },
  )

  app.delete(
    '/keys/:id',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Revoke an API key',
        params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }),
        response: { 200: Type.Object({ revoked: Type.Boolean() }) },
      },
    },
    async request => {
      await keys.revoke(request.params.id, actorOf(request))
      return { revoked: true }
    },
  )
}

function keyView({ hash: _, scope, createdAt, expiresAt, lastUsedAt, ...key }: ApiKey) {
  return {
    ...key,
    scope: scope && [...scope],
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    lastUsedAt: lastUsedAt === null ? null : new Date(lastUsedAt).toISOString(),
  }
}
