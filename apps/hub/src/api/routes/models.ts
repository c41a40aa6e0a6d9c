import { createReadStream } from 'node:fs'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import type { ModelStoreFiles } from '@sightline/models/store/model-store.js'

/** The hub's model store, read-only, so that devices without internet pull from it. */
export const modelRoutes: FastifyPluginAsyncTypebox<{ models: ModelStoreFiles }> = async (
  app,
  { models },
) => {
  app.get('/*', { config: { role: 'device' }, schema: { hide: true } }, async (request, reply) => {
    const wanted = (request.params as { '*': string })['*']
    const file = await models.find(wanted)
    if (file === undefined) throw fault('API_NOT_FOUND', `the model store has no ${wanted}`)
    reply.type(file.contentType).header('accept-ranges', 'bytes')
    if (file.sha256 !== undefined) reply.header('etag', `"${file.sha256}"`)
    if (file.path === undefined) return reply.send(file.content)
    const range = parseRange(request.headers.range, file.bytes)
    if (range === undefined) {
      return reply.header('content-length', file.bytes).send(createReadStream(file.path))
    }
    if (range === 'unsatisfiable') {
      return reply.status(416).header('content-range', `bytes */${file.bytes}`).send()
    }
    const { start, end } = range
    return reply
      .status(206)
      .header('content-range', `bytes ${start}-${end}/${file.bytes}`)
      .header('content-length', end - start + 1)
      .send(createReadStream(file.path, { start, end }))
  })
}

/** A single range as downloads are resumed with it (RFC 9110, 14.1.2); other forms are answered in full. */
function parseRange(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (match === null) return undefined
  const start = Number(match[1])
  const end = match[2] === '' ? bytes - 1 : Math.min(Number(match[2]), bytes - 1)
  return start >= bytes || end < start ? 'unsatisfiable' : { start, end }
}
