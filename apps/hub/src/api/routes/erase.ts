import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Eraser } from '../../retention/eraser.ts'
import type { AuditLog } from '../../store/audit-log.ts'
import { actorOf } from '../actor.ts'
import { parseFilter } from '../filter.ts'
import { FilterShape } from '../shapes.ts'

const Count = Type.Integer({ minimum: 0 })

export interface EraseParts {
  readonly eraser: Pick<Eraser, 'erase'>
  readonly audit: Pick<AuditLog, 'record'>
}

export const eraseRoutes: FastifyPluginAsyncTypebox<EraseParts> = async (app, { eraser, audit }) => {
  app.delete(
    '/frames',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Delete a device, camera or time range for good',
        description:
          'Frames with vectors, thumbnails and index entries, incidents with reviews; with site and node alone also what the device said of itself. Answers when it is done. Earlier snapshots keep what they hold.',
        querystring: Type.Object(FilterShape, { additionalProperties: false, minProperties: 1 }),
        response: {
          200: Type.Object({
            frames: Count,
            thumbnails: Count,
            bytes: Count,
            incidents: Count,
            reviews: Count,
            nodes: Count,
          }),
        },
      },
    },
    async request => {
      const erased = await eraser.erase(parseFilter(request.query))
      const subject = new URLSearchParams(request.query).toString()
      await audit.record({
        actor: actorOf(request),
        action: 'records.erased',
        subject,
        detail: { ...erased },
      })
      return erased
    },
  )
}
