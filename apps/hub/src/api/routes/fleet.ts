import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RecordStore } from '../../store/record-store.ts'
import type { LiveFeed } from '../live-feed.ts'
import { NodeShape } from '../shapes.ts'
import { limitNode, nodeView } from '../views.ts'

export const fleetRoutes: FastifyPluginAsyncTypebox<{ store: RecordStore; live: LiveFeed }> = async (
  app,
  { store, live },
) => {
  app.get(
    '/nodes',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Devices and their state',
        response: { 200: Type.Object({ nodes: Type.Array(NodeShape) }) },
      },
    },
    async ({ caller: { scope } }) => ({
      nodes: store
        .nodes()
        .filter(node => scope.seesNode(node))
        .map(record => limitNode(nodeView(record, store), scope)),
    }),
  )

  app.get(
    '/live',
    {
      // An answer to HEAD would never end.
      exposeHeadRoute: false,
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Frames, incidents and device states as they come (server-sent events)',
        description:
          'Events `frame`, `incident` and `node`; the data are the objects of /frames, /events and /nodes.',
      },
    },
    ({ caller }, reply) => {
      live.attach(reply.raw, {}, caller)
      reply.hijack()
    },
  )
}
