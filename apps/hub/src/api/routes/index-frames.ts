import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Clock, fault, messageOf, NAME_PATTERN } from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { Importer } from '../../ingest/importer.ts'
import { MAX_TAGS_OF_FRAME } from '../../store/tag-rows.ts'
import { Base64Image, VectorShape } from '../search-shapes.ts'
import { Tag } from '../shapes.ts'

const MAX_ITEMS = 256
const Name = Type.String({ pattern: NAME_PATTERN })
const NDJSON = 'application/x-ndjson'

const Items = Type.Array(
  Type.Object(
    {
      image: Type.Optional(Base64Image),
      vector: Type.Optional(VectorShape),
      capturedAt: Type.Optional(Type.String({ format: 'date-time', description: 'Default: now.' })),
      seq: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: Number.MAX_SAFE_INTEGER,
          description: 'Number within the session; default: the next free one.',
        }),
      ),
      tags: Type.Optional(Type.Array(Tag, { maxItems: MAX_TAGS_OF_FRAME })),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: MAX_ITEMS, description: 'Each with an image or a vector.' },
)

export interface IndexFrameParts {
  readonly importer: Importer
  readonly clock: Pick<Clock, 'now'>
}

export const indexFrameRoutes: FastifyPluginAsyncTypebox<IndexFrameParts> = async (
  app,
  { importer, clock },
) => {
  app.addContentTypeParser(NDJSON, { parseAs: 'string' }, (_request, body, done) => {
    try {
      const lines = String(body)
        .split('\n')
        .filter(line => line.trim() !== '')
      done(
        null,
        lines.map(line => JSON.parse(line) as unknown),
      )
    } catch (cause) {
      done(fault('API_BAD_REQUEST', `a line is not JSON: ${messageOf(cause)}`, { cause }))
    }
  })

  app.post(
    '/index',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Bring your own pictures or vectors',
        description:
          'They become frames of the camera that is named, without verdicts. As a JSON array or one object a line (NDJSON); ' +
          `at most ${MAX_ITEMS} at once, all or none. With a session (a ULID) and numbers, sending them again changes nothing.`,
        consumes: ['application/json', NDJSON],
        querystring: Type.Object(
          {
            site: Name,
            node: Type.Optional({ ...Name, default: 'import' } as typeof Name),
            camera: Name,
            session: Type.Optional(Type.String({ pattern: '^[0-9A-Z]{26}$' })),
          },
          { additionalProperties: false },
        ),
        body: { content: { 'application/json': { schema: Items }, [NDJSON]: { schema: Items } } },
        response: {
          200: Type.Object({
            ids: Type.Array(Type.String(), { description: 'Of the frames that are new.' }),
            duplicates: Type.Integer(),
          }),
        },
      },
    },
    async ({ query: { site, node = 'import', camera, session }, body }) => {
      const items = (body as Static<typeof Items>).map(({ image, vector, capturedAt, seq, tags }) => ({
        image: image === undefined ? undefined : Buffer.from(image, 'base64'),
        vector: vector === undefined ? undefined : Float32Array.from(vector),
        capturedAt: capturedAt === undefined ? clock.now() : Date.parse(capturedAt),
        seq,
        tags,
      }))
      const { frames, duplicates } = await importer.import({ site, node, camera, session }, items)
      return { ids: frames.map(({ id }) => id), duplicates }
    },
  )
}
