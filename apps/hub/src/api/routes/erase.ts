import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NAME_PATTERN } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { EnrolmentDesk } from '../../fleet/enrolment-desk.ts'
import type { Eraser } from '../../retention/eraser.ts'
import type { AuditLog } from '../../store/audit-log.ts'
import { actorOf } from '../actor.ts'
import { type FilterQuery, parseFilter } from '../filter.ts'
import { FilterShape } from '../shapes.ts'

const Count = Type.Integer({ minimum: 0 })
const Erased = Type.Object({
  frames: Count,
  thumbnails: Count,
  bytes: Count,
  incidents: Count,
  reviews: Count,
  nodes: Count,
})
const Device = Type.Object({
  site: Type.String({ pattern: NAME_PATTERN }),
  node: Type.String({ pattern: NAME_PATTERN }),
})

export interface EraseParts {
  readonly eraser: Pick<Eraser, 'erase'>
  readonly audit: Pick<AuditLog, 'record'>
  readonly desk: Pick<EnrolmentDesk, 'devices' | 'revoke'>
}

export const eraseRoutes: FastifyPluginAsyncTypebox<EraseParts> = async (app, { eraser, audit, desk }) => {
  const erase = async (request: FastifyRequest, filter: FilterQuery) => {
    const erased = await eraser.erase(parseFilter(filter))
    const subject = Object.entries(filter)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')
    await audit.record({ actor: actorOf(request), action: 'records.erased', subject, detail: { ...erased } })
    return erased
  }

  app.delete(
    '/frames',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Delete a device, camera or time range for good',
        description:
          'Frames with vectors, thumbnails and index entries, incidents with reviews; with site and node alone also what the device said of itself. Answers when it is done. Earlier snapshots keep what they hold.',
        querystring: Type.Object(FilterShape, { additionalProperties: false, minProperties: 1 }),
        response: { 200: Erased },
      },
    },
    request => erase(request, request.query),
  )

  app.delete(
    '/devices/:site/:node',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Turn a device away and delete all that it sent, for good',
        description: 'As POST …/revoke, and then as DELETE /frames with its site and node.',
        params: Device,
        response: { 200: Erased },
      },
    },
    async request => {
      const { site, node } = request.params
      // First, so that nothing comes in behind the deletion.
      if (desk.devices().some(known => known.site === site && known.node === node))
        await desk.revoke({ site, node }, actorOf(request))
      return await erase(request, { site, node })
    },
  )
}
