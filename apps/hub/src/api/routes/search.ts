import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Metrics } from '../../metrics.ts'
import type { Search, SearchQuery } from '../../search/search.ts'
import { parseFilter } from '../filter.ts'
import { FilterShape, HitShape, Limit } from '../shapes.ts'
import { frameView } from '../views.ts'

const Text = Type.String({ minLength: 1, maxLength: 2000 })
const MinScore = Type.Optional(Type.Number({ minimum: 0, maximum: 1 }))

const SimpleQuery = Type.Object(
  { text: Text, limit: Limit(24, 200), minScore: MinScore, ...FilterShape },
  { additionalProperties: false },
)

const JsonQuery = Type.Object(
  {
    text: Type.Optional(Text),
    image: Type.Optional(Type.String({ minLength: 1, description: 'A JPEG, PNG or WebP file in base64.' })),
    id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: 'A stored frame: more like this.' }),
    ),
    vector: Type.Optional(Type.Array(Type.Number(), { minItems: 8, maxItems: 4096 })),
    limit: Limit(24, 200),
    minScore: MinScore,
    filter: Type.Optional(Type.Object(FilterShape, { additionalProperties: false })),
  },
  { additionalProperties: false },
)

/** Multipart fields; the file arrives as bytes. */
const UploadQuery = Type.Object(
  {
    // Already bytes when the schema sees it, hence no type.
    image: Type.Unsafe<Buffer>({ description: 'A JPEG, PNG or WebP file.' }),
    limit: Limit(24, 200),
    minScore: MinScore,
    ...FilterShape,
  },
  { additionalProperties: false },
)

const Answer = Type.Object({
  hits: Type.Array(HitShape),
  tookMs: Type.Number(),
  model: Type.Object({ name: Type.String(), fingerprint: Type.String() }),
})

export interface SearchParts {
  readonly search: Search
  readonly seconds: Metrics['searchSeconds']
}

export const searchRoutes: FastifyPluginAsyncTypebox<SearchParts> = async (app, { search, seconds }) => {
  const answer = async (
    asked: SearchQuery,
    { caller: { scope } }: FastifyRequest,
  ): Promise<Static<typeof Answer>> => {
    const query = { ...asked, filter: scope.narrow(asked.filter ?? {}) }
    const { hits, tookMs, model } = await search.search(query)
    seconds.observe(tookMs / 1000)
    return {
      hits: hits.map(hit => ({ ...frameView(hit.frame), similarity: hit.similarity, score: hit.score })),
      tookMs,
      model,
    }
  }

  app.get(
    '/search',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Search all frames by words',
        querystring: SimpleQuery,
        response: { 200: Answer },
      },
    },
    request => {
      const { text, limit, minScore, ...filter } = request.query
      return answer({ text, limit: limit ?? 24, minScore, filter: parseFilter(filter) }, request)
    },
  )

  app.post(
    '/search',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Search by words, picture, stored frame or vector (exactly one of them)',
        consumes: ['application/json', 'multipart/form-data'],
        body: {
          content: {
            'application/json': { schema: JsonQuery },
            'multipart/form-data': { schema: UploadQuery },
          },
        },
        response: { 200: Answer },
      },
    },
    request => {
      if (request.isMultipart()) {
        const { image, limit, minScore, ...filter } = request.body as Static<typeof UploadQuery>
        return answer({ image, limit: limit ?? 24, minScore, filter: parseFilter(filter) }, request)
      }
      return answer(jsonQuery(request.body as Static<typeof JsonQuery>), request)
    },
  )
}

function jsonQuery(body: Static<typeof JsonQuery>): SearchQuery {
  const { text, image, id, vector } = body
  const common = { limit: body.limit ?? 24, minScore: body.minScore, filter: parseFilter(body.filter ?? {}) }
  const given = [text, image, id, vector].filter(part => part !== undefined).length
  if (given !== 1)
    throw fault('API_BAD_REQUEST', `give exactly one of text, image, id and vector, not ${given}`)
  if (text !== undefined) return { ...common, text }
  if (image !== undefined) return { ...common, image: Buffer.from(image, 'base64') }
  if (id !== undefined) return { ...common, id }
  return { ...common, vector: Float32Array.from(vector ?? []) }
}
