import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Tags } from '../../search/tags.ts'
import { MAX_TAGS_OF_FRAME } from '../../store/tag-rows.ts'
import { actorOf } from '../actor.ts'
import { FrameId } from '../search-shapes.ts'
import { Tag } from '../shapes.ts'

/** As many as a search goes deep. */
const MAX_FRAMES = 2000
const TagList = Type.Array(Tag, { maxItems: MAX_TAGS_OF_FRAME, default: [] })

/** Words that people give to frames and find them by. */
export const tagRoutes: FastifyPluginAsyncTypebox<{ tags: Tags }> = async (app, { tags }) => {
  app.get(
    '/tags',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Tags, and how many frames have each',
        response: {
          200: Type.Object({ tags: Type.Array(Type.Object({ tag: Tag, frames: Type.Integer() })) }),
        },
      },
    },
    async () => ({ tags: tags.list() }),
  )

  app.post(
    '/frames/tags',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Give tags to frames, or take them away',
        description: 'All or nothing. Frames that are not stored are passed over.',
        body: Type.Object(
          {
            frames: Type.Array(FrameId, { minItems: 1, maxItems: MAX_FRAMES, description: 'Their ids.' }),
            add: Type.Optional(TagList),
            remove: Type.Optional(TagList),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ changed: Type.Integer({ description: 'Frames.' }) }) },
      },
    },
    async request => {
      const { frames, add = [], remove = [] } = request.body
      return { changed: await tags.change({ frames, add, remove }, actorOf(request)) }
    },
  )
}
