import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { AuditLog } from '../../store/audit-log.ts'
import { Limit } from '../shapes.ts'

const Entry = Type.Object({
  id: Type.Integer(),
  at: Type.String({ format: 'date-time' }),
  actor: Type.String(),
  action: Type.String(),
  subject: Type.String(),
  detail: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
})

export const auditRoutes: FastifyPluginAsyncTypebox<{ audit: AuditLog }> = async (app, { audit }) => {
  app.get(
    '/audit',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Who changed what, newest first',
        querystring: Type.Object(
          {
            limit: Limit(100, 1000),
            before: Type.Optional(Type.Integer({ minimum: 1, description: 'Id of the last entry read.' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ entries: Type.Array(Entry) }) },
      },
    },
    async ({ query: { limit, before } }) => ({
      entries: audit
        .list({ limit: limit ?? 100, before })
        .map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() })),
    }),
  )
}
