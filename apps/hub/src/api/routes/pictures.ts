import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { thumbnail } from '@sightline/core'
import { Type } from 'typebox'
import type { PictureFetcher } from '../../fetch/picture-fetcher.ts'
import { Jpeg } from '../openapi.ts'

/** Larger than any model looks at. */
const MAX_SIDE_PX = 1024
/** By address: whoever asks makes the hub ask others. */
const LIMIT = { max: 30, timeWindow: '1 minute' }

export const pictureRoutes: FastifyPluginAsyncTypebox<{
  readonly pictures: Pick<PictureFetcher, 'fetch'>
}> = async (app, { pictures }) => {
  app.post(
    '/search/picture',
    {
      config: { role: 'viewer', limited: true, rateLimit: LIMIT },
      schema: {
        summary: 'Fetch a picture from its address, to search by it (JPEG)',
        description:
          'At most 1024 pixels a side, without metadata. Only where searchByUrl.enabled is set, and only from public addresses.',
        body: Type.Object(
          { url: Type.String({ minLength: 1, maxLength: 2048 }) },
          { additionalProperties: false },
        ),
        produces: ['image/jpeg'],
        response: { 200: Jpeg },
      },
    },
    async ({ body: { url } }, reply) => {
      const jpeg = await thumbnail(await pictures.fetch(url), MAX_SIDE_PX)
      return reply.type('image/jpeg').header('cache-control', 'no-store').send(jpeg)
    },
  )
}
