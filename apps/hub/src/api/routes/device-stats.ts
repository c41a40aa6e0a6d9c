import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Clock, NAME_PATTERN } from '@sightline/core'
import { Type } from 'typebox'
import type { StatsHistory } from '../../fleet/stats-history.ts'
import { iso } from '../views.ts'

const HOUR_MS = 3_600_000

const Name = Type.String({ pattern: NAME_PATTERN })
const Point = Type.Object({
  at: Type.String({ format: 'date-time' }),
  gap: Type.Boolean({ description: 'Nothing is known of the time before.' }),
  seenPerSecond: Type.Number(),
  embeddedPerSecond: Type.Number(),
  failedFrames: Type.Number({ description: 'As all that is lost: since the point before.' }),
  encodeP50Ms: Type.Number(),
  decisionP95Ms: Type.Number(),
  queueRecords: Type.Number(),
  queueBytes: Type.Number(),
  lostRecords: Type.Number(),
  lostEvents: Type.Number(),
  lostThumbnails: Type.Number(),
  rssBytes: Type.Number(),
})

export interface DeviceStatsParts {
  readonly history: StatsHistory
  readonly clock: Pick<Clock, 'now'>
}

export const deviceStatsRoutes: FastifyPluginAsyncTypebox<DeviceStatsParts> = async (
  app,
  { history, clock },
) => {
  app.get(
    '/devices/:site/:node/stats',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'What a device reported of itself over the last hours, oldest first',
        description:
          'At most some 360 points. The hub keeps a report a minute for a day; for more there is /metrics.',
        params: Type.Object({ site: Name, node: Name }),
        querystring: Type.Object(
          { hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 24, default: 6 })) },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ points: Type.Array(Point) }) },
      },
    },
    async ({ params, query: { hours = 6 } }) => {
      const now = clock.now()
      const points = history.points(params, { from: now - hours * HOUR_MS, now })
      return { points: points.map(point => ({ ...point, at: iso(point.at) })) }
    },
  )
}
