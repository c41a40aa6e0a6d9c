import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RecordStore } from '../../store/record-store.ts'
import { Limit } from '../shapes.ts'

const Entry = Type.Object({
  at: Type.String({ format: 'date-time' }),
  topic: Type.String(),
  reason: Type.String(),
  head: Type.String({ description: 'First bytes of the payload, at most 4 KiB, in base64.' }),
  bytes: Type.Integer({ description: 'Size of the whole payload.' }),
})

export const quarantineRoutes: FastifyPluginAsyncTypebox<{ store: RecordStore }> = async (app, { store }) => {
  app.get(
    '/quarantine',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Payloads that could not be decoded, newest first',
        querystring: Type.Object({ limit: Limit(50, 1000) }, { additionalProperties: false }),
        response: { 200: Type.Object({ entries: Type.Array(Entry) }) },
      },
    },
    async ({ query: { limit } }) => ({
      entries: store
        .quarantined()
        .slice(0, limit ?? 50)
        .map(({ at, head, ...entry }) => ({
          ...entry,
          at: new Date(at).toISOString(),
          head: Buffer.from(head).toString('base64'),
        })),
    }),
  )
}
