import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import { Type } from 'typebox'
import { neighboursOf } from '../../search/neighbours.ts'
import { newestOfCameras } from '../../search/newest-of-cameras.ts'
import type { RecordStore } from '../../store/record-store.ts'
import { parseFilter } from '../filter.ts'
import { Jpeg } from '../openapi.ts'
import { ContentFilter } from '../search-shapes.ts'
import { FilterShape, FrameShape, IncidentShape, Limit } from '../shapes.ts'
import { frameView, incidentView } from '../views.ts'

/** Without the name: a schema may be used once under it. */
const Neighbour = Type.Object(FrameShape.properties)
const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 300 }) })

export const frameRoutes: FastifyPluginAsyncTypebox<{ store: RecordStore }> = async (app, { store }) => {
  app.get(
    '/frames',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Newest frames',
        querystring: Type.Object(
          {
            limit: Limit(50, 500),
            each: Type.Optional(Type.Literal('camera', { description: 'One frame of every camera.' })),
            ...FilterShape,
            ...ContentFilter,
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ frames: Type.Array(FrameShape) }) },
      },
    },
    async ({ query: { limit = 50, each, ...filter }, caller: { scope } }) => {
      const narrowed = scope.narrow(parseFilter(filter))
      const frames =
        each === undefined
          ? store.recent(narrowed, limit)
          : await newestOfCameras(store, { filter: narrowed, limit })
      return { frames: frames.map(frameView) }
    },
  )

  app.get(
    '/frames/:id',
    {
      config: { role: 'viewer', limited: true },
      schema: { summary: 'One frame', params: Id, response: { 200: FrameShape } },
    },
    async ({ params: { id }, caller: { scope } }) => {
      const frame = store.frame(id)
      if (frame === undefined || !scope.sees(frame)) throw fault('API_NOT_FOUND', `no frame ${id}`)
      return frameView(frame)
    },
  )

  app.get(
    '/frames/:id/neighbours',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'What the same camera saw before and after a frame',
        params: Id,
        querystring: Type.Object({ limit: Limit(6, 50) }, { additionalProperties: false }),
        response: {
          200: Type.Object({
            before: Type.Array(Neighbour, { description: 'Nearest first; at most limit.' }),
            after: Type.Array(Neighbour, { description: 'Nearest first; at most limit.' }),
          }),
        },
      },
    },
    async ({ params: { id }, query, caller: { scope } }) => {
      const frame = store.frame(id)
      if (frame === undefined || !scope.sees(frame)) throw fault('API_NOT_FOUND', `no frame ${id}`)
      const { before, after } = neighboursOf(frame, query.limit ?? 6, store)
      return { before: before.map(frameView), after: after.map(frameView) }
    },
  )

  app.get(
    '/frames/:id/thumbnail',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Thumbnail of a frame',
        produces: ['image/jpeg'],
        params: Id,
        response: { 200: Jpeg },
      },
    },
    async ({ params: { id }, caller: { scope } }, reply) => {
      const frame = scope.limited ? store.frame(id) : undefined
      const seen = !scope.limited || (frame !== undefined && scope.sees(frame))
      const thumbnail = seen ? store.thumbnail(id) : undefined
      if (thumbnail === undefined) throw fault('API_NOT_FOUND', `no thumbnail of frame ${id}`)
      // Not for longer: what a policy, retention or a deletion takes away must not go on being seen.
      return reply
        .type('image/jpeg')
        .header('cache-control', 'private, max-age=3600')
        .send(Buffer.from(thumbnail))
    },
  )

  app.get(
    '/events',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Moderation incidents, newest first',
        querystring: Type.Object(
          {
            limit: Limit(50, 500),
            rule: Type.Optional(Type.String({ maxLength: 64 })),
            open: Type.Optional(
              Type.Boolean({
                description: 'Only those that go on, of the newest 5000 (or only those that ended).',
              }),
            ),
            ...FilterShape,
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ events: Type.Array(IncidentShape) }) },
      },
    },
    async ({ query: { limit, rule, open, ...filter }, caller: { scope } }) => ({
      events: store
        .incidents(scope.narrow({ ...parseFilter(filter), rule, open }), limit ?? 50)
        .map(incident => incidentView(incident, store)),
    }),
  )
}
