import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Eraser } from '../../retention/eraser.ts'
import { parseFilter } from '../filter.ts'
import { FilterShape } from '../shapes.ts'

const Count = Type.Integer({ minimum: 0 })

export const eraseRoutes: FastifyPluginAsyncTypebox<{ eraser: Pick<Eraser, 'erase'> }> = async (
  app,
  { eraser },
) => {
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
    async ({ query }) => eraser.erase(parseFilter(query)),
  )
}
