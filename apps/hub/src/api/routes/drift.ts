import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { DriftReport } from '../../drift/drift-report.ts'

const Spread = Type.Object({
  min: Type.Number(),
  p5: Type.Number(),
  median: Type.Number(),
  p95: Type.Number(),
  max: Type.Number(),
})

export const driftRoutes: FastifyPluginAsyncTypebox<{ drift: DriftReport }> = async (app, { drift }) => {
  app.get(
    '/drift',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Whether cameras still see what they saw',
        description:
          'Of each camera, the last day beside the week before, on samples of up to 200 frames; made at most every ten minutes.',
        response: {
          200: Type.Object({
            at: Type.String({ format: 'date-time' }),
            scanned: Type.Integer(),
            skipped: Type.Integer({
              description: 'Cameras with fewer than 100 frames in one of the stretches.',
            }),
            cameras: Type.Array(
              Type.Object({
                site: Type.String(),
                node: Type.String(),
                camera: Type.String(),
                recent: Type.Integer({ description: 'Frames compared, of the last day.' }),
                reference: Type.Integer({ description: 'Frames compared, of the week before.' }),
                meanCosine: Type.Number({ description: 'Between the mean vectors of both.' }),
                norms: Type.Object({ recent: Spread, reference: Spread }),
                nearest: Type.Object(
                  { recent: Spread, reference: Spread, psi: Type.Number() },
                  {
                    description:
                      '1 - cosine to the nearest frame of the week before; psi: population stability index.',
                  },
                ),
                level: Type.Enum(['none', 'moderate', 'large']),
              }),
              { description: 'Most changed first.' },
            ),
          }),
        },
      },
    },
    async () => {
      const { at, cameras, ...rest } = await drift.report()
      return { ...rest, at: new Date(at).toISOString(), cameras: [...cameras] }
    },
  )
}
