import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NAME_PATTERN } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { EnrolmentDesk } from '../../fleet/enrolment-desk.ts'
import type { Forgetter } from '../../privacy/forgetter.ts'
import { actorOf } from '../actor.ts'
import { type FilterQuery, parseFilter } from '../filter.ts'
import type { LiveFeed } from '../live-feed.ts'
import { FilterShape } from '../shapes.ts'

const Count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) })
const Time = Type.String({ format: 'date-time' })
const Forgotten = Type.Object({
  dryRun: Type.Boolean({ description: 'Whether nothing was deleted, only counted.' }),
  frames: Count(),
  thumbnails: Count(),
  bytes: Count('Of vectors and thumbnails.'),
  incidents: Count(),
  reviews: Count(),
  savedSearchHits: Count(),
  examples: Count('Copies of these frames that rules named.'),
  commandResults: Count('Pictures and logs that devices answered commands with.'),
  quarantined: Count('Messages that could not be read.'),
  nodes: Count(),
  snapshots: Type.Array(
    Type.Object({
      dir: Type.String(),
      createdAt: Time,
      keepUntil: Type.Union([Time, Type.Null()], { description: 'Null: until somebody removes it.' }),
      bytes: Count(),
      found: Type.Boolean({ description: 'Whether it still lies where it was made, as seen from the hub.' }),
    }),
    { description: 'Known snapshots that may still hold it; copies of them are not known.' },
  ),
})
const Device = Type.Object({
  site: Type.String({ pattern: NAME_PATTERN }),
  node: Type.String({ pattern: NAME_PATTERN }),
})
const dryRun = Type.Optional(Type.Boolean({ default: false, description: 'Count, and delete nothing.' }))

export interface EraseParts {
  readonly forgetter: Pick<Forgetter, 'forget' | 'measure'>
  readonly desk: Pick<EnrolmentDesk, 'devices' | 'revoke'>
  readonly live: Pick<LiveFeed, 'resync'>
}

export const eraseRoutes: FastifyPluginAsyncTypebox<EraseParts> = async (app, { forgetter, desk, live }) => {
  const erase = async (request: FastifyRequest, query: FilterQuery, dry: boolean) => {
    const filter = parseFilter(query)
    const { snapshots, ...counts } = dry
      ? await forgetter.measure(filter)
      : // Also when it failed half-way: what went until then is gone from the pages, too.
        await forgetter.forget(filter, actorOf(request)).finally(() => live.resync())
    return {
      dryRun: dry,
      ...counts,
      snapshots: snapshots.map(({ keepUntil, ...snapshot }) => ({
        ...snapshot,
        keepUntil: keepUntil === null ? null : new Date(keepUntil).toISOString(),
      })),
    }
  }

  app.delete(
    '/frames',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Delete a device, camera or time range for good',
        description:
          'Frames with vectors, thumbnails, index entries and hits of saved searches, incidents with reviews, copies of the frames that rules name as examples, results of commands, and messages that could not be read; with site and node alone also what the device said of itself. Answers when it is done, with how much that was and which snapshots may still hold it.',
        querystring: Type.Object(
          { ...FilterShape, dryRun },
          { additionalProperties: false, minProperties: 1 },
        ),
        response: { 200: Forgotten },
      },
    },
    request => {
      const { dryRun: dry = false, ...filter } = request.query
      return erase(request, filter, dry)
    },
  )

  app.delete(
    '/devices/:site/:node',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Turn a device away and delete all that it sent, for good',
        description: 'As POST …/revoke, and then as DELETE /frames with its site and node.',
        params: Device,
        querystring: Type.Object({ dryRun }, { additionalProperties: false }),
        response: { 200: Forgotten },
      },
    },
    async request => {
      const { site, node } = request.params
      const { dryRun: dry = false } = request.query
      // First, so that nothing comes in behind the deletion.
      if (!dry && desk.devices().some(known => known.site === site && known.node === node))
        await desk.revoke({ site, node }, actorOf(request))
      return await erase(request, { site, node }, dry)
    },
  )
}
