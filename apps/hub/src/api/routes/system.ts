import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ClipModel } from '@sightline/core'
import { Type } from 'typebox'
import type { IndexKeeper } from '../../index/index-keeper.ts'
import type { RecordStore } from '../../store/record-store.ts'

const Counts = Type.Record(Type.String(), Type.Number())

export interface SystemParts {
  readonly store: RecordStore
  readonly model: ClipModel
  readonly index: IndexKeeper
  readonly version: string
  readonly searchByUrl: boolean
  /** Running totals of the ingest. */
  readonly ingested: () => Record<string, number>
}

export const systemRoutes: FastifyPluginAsyncTypebox<SystemParts> = async (app, parts) => {
  const { store, model, index, version, searchByUrl, ingested } = parts
  const { manifest } = model
  app.get(
    '/system',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Version, model and totals',
        response: {
          200: Type.Object({
            version: Type.String(),
            model: Type.Object({
              name: Type.String(),
              title: Type.String(),
              fingerprint: Type.String(),
              dim: Type.Integer(),
              license: Type.String(),
              notice: Type.String(),
              cannot: Type.Array(Type.String()),
            }),
            searchByUrl: Type.Boolean({ description: 'Whether the hub fetches pictures from addresses.' }),
            counts: Counts,
            index: Counts,
            ingest: Counts,
          }),
        },
      },
    },
    async ({ caller: { scope } }) => ({
      version,
      model: {
        name: manifest.name,
        title: manifest.title,
        fingerprint: model.fingerprint,
        dim: model.dim,
        license: manifest.license.spdx,
        notice: manifest.license.notice,
        cannot: manifest.cannot,
      },
      searchByUrl,
      // Totals are of everything.
      counts: scope.limited ? {} : { ...store.counts() },
      index: scope.limited ? {} : { ...index.stats() },
      ingest: scope.limited ? {} : ingested(),
    }),
  )
}
