import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { HubSettings } from '../../settings.ts'
import type { StorageReport } from '../../store/storage-report.ts'

const Bytes = Type.Integer({ minimum: 0 })
const TableSize = Type.Object({ count: Type.Integer(), bytes: Bytes })

export interface StorageParts {
  readonly storage: StorageReport
  readonly retention: HubSettings['retention']
}

export const storageRoutes: FastifyPluginAsyncTypebox<StorageParts> = async (app, { storage, retention }) => {
  app.get(
    '/storage',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'How full the disk is and of what, how long frames are kept, and the latest snapshot',
        response: {
          200: Type.Object({
            disk: Type.Object({
              freeBytes: Bytes,
              totalBytes: Bytes,
              minFreeBytes: Type.Integer({
                description: 'store.minFreeBytes: with less than this free, nothing is stored any more.',
              }),
              state: Type.Enum(['ok', 'low', 'refusing'], {
                description: 'low: less than twice that, or than 5 % of the disk, is free.',
              }),
            }),
            parts: Type.Record(Type.String(), Bytes, {
              description: 'Bytes on disk of each part of the data directory.',
            }),
            thumbnails: TableSize,
            vectors: TableSize,
            retention: Type.Object({
              days: Type.Number({ description: '0: for ever.' }),
              maxFramesPerCamera: Type.Integer({ description: '0: any number.' }),
            }),
            snapshot: Type.Union([
              Type.Object({
                at: Type.String({ format: 'date-time' }),
                bytes: Bytes,
                error: Type.Union([Type.String(), Type.Null()], {
                  description: 'Code of the fault; null when it succeeded.',
                }),
              }),
              Type.Null(),
            ]),
          }),
        },
      },
    },
    async () => {
      const { snapshot = null, ...figures } = await storage.read()
      const { days, maxFramesPerCamera } = retention
      return { ...figures, snapshot, retention: { days, maxFramesPerCamera } }
    },
  )
}
