import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FleetHealth } from '../../fleet/fleet-health.ts'
import type { RecordStore } from '../../store/record-store.ts'
import type { LiveFeed } from '../live-feed.ts'
import { NodeShape } from '../shapes.ts'
import { limitNode, nodeView } from '../views.ts'

export const fleetRoutes: FastifyPluginAsyncTypebox<{
  store: RecordStore
  health: FleetHealth
  live: LiveFeed
}> = async (app, { store, health, live }) => {
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
        .map(record => limitNode(nodeView(record, store, health), scope)),
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
          'Events `frame`, `incident` and `node`; the data are the objects of /frames, /events and /nodes. `reply`: ' +
          'a command of a device and what it answered; `config`: how far a device is from its desired ' +
          'configuration. `saved-search`: a frame that a saved search was waiting for. Limited viewers get the ' +
          'frames, incidents and devices within their limit, and hits of their own searches there. With ' +
          'Last-Event-ID what was missed follows, or `resync`.',
        produces: ['text/event-stream'],
        response: { 200: Type.String() },
      },
    },
    (request, reply) => {
      const seen = request.headers['last-event-id']
      live.attach(
        reply.raw,
        {},
        { ...request.caller, lastEventId: typeof seen === 'string' ? seen : undefined },
      )
      reply.hijack()
    },
  )
}
