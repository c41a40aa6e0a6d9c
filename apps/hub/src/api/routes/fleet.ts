import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FleetHealth } from '../../fleet/fleet-health.ts'
import type { RecordStore } from '../../store/record-store.ts'
import type { LiveFeed } from '../live-feed.ts'
import { NodeShape } from '../shapes.ts'
import { nodeView } from '../views.ts'

export const fleetRoutes: FastifyPluginAsyncTypebox<{
  store: RecordStore
  health: FleetHealth
  live: LiveFeed
}> = async (app, { store, health, live }) => {
  app.get(
    '/nodes',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Devices and their state',
        response: { 200: Type.Object({ nodes: Type.Array(NodeShape) }) },
      },
    },
    async () => ({ nodes: store.nodes().map(record => nodeView(record, store, health)) }),
  )

  app.get(
    '/live',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Frames, incidents and device states as they come (server-sent events)',
        description:
          'Events `frame`, `incident` and `node`; the data are the objects of /frames, /events and /nodes. `reply`: a command of a device and what it answered; `config`: how far a device is from its desired configuration.' +
          ' `saved-search`: a ' +
          'frame that a saved search was waiting for. With Last-Event-ID what was missed follows, or `resync`.',
      },
    },
    (request, reply) => {
      const seen = request.headers['last-event-id']
      live.attach(reply.raw, {}, typeof seen === 'string' ? seen : undefined)
      reply.hijack()
    },
  )
}
