import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Metrics } from '../../metrics.ts'
import type { SearchQuery } from '../../search/query.ts'
import type { Search } from '../../search/search.ts'
import { parseFilter } from '../filter.ts'
import {
  ContributionShape,
  FrameId,
  HitShape,
  QuestionShape,
  SearchAnswer,
  SearchBody,
  SimpleShape,
  Text,
} from '../search-shapes.ts'
import { answerView, hitView, queryOf } from '../search-views.ts'

const SimpleQuery = Type.Object({ text: Text, ...SimpleShape }, { additionalProperties: false })
const SimilarQuery = Type.Object(SimpleShape, { additionalProperties: false })

/** Multipart fields; the file arrives as bytes. */
const UploadQuery = Type.Object(
  {
    // Already bytes when the schema sees it, hence no type.
    image: Type.Unsafe<Buffer>({ description: 'A JPEG, PNG or WebP file.' }),
    ...SimpleShape,
  },
  { additionalProperties: false },
)

export interface SearchParts {
  readonly search: Search
  readonly seconds: Metrics['searchSeconds']
}

export const searchRoutes: FastifyPluginAsyncTypebox<SearchParts> = async (app, { search, seconds }) => {
  /** No more than the caller may see. */
  const narrowed = (query: SearchQuery, { caller: { scope } }: FastifyRequest): SearchQuery => ({
    ...query,
    filter: scope.narrow(query.filter ?? {}),
  })
  const answer = async (
    query: SearchQuery,
    request: FastifyRequest,
  ): Promise<Static<typeof SearchAnswer>> => {
    const result = await search.search(narrowed(query, request))
    seconds.observe(result.tookMs / 1000)
    return answerView(result)
  }

  app.get(
    '/search',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Search all frames by words',
        querystring: SimpleQuery,
        response: { 200: SearchAnswer },
      },
    },
    request => {
      const { text, ...simple } = request.query
      return answer({ text, ...simpleQuery(simple) }, request)
    },
  )

  app.post(
    '/search',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Search by words, picture, stored frame or vector, or by several with weights',
        description:
          'At most one of text, image, id and vector, which is a positive of weight 1, and any positives and negatives ' +
          'beside it. A form carries a picture and the fields of the GET form.',
        consumes: ['application/json', 'multipart/form-data'],
        body: {
          content: {
            'application/json': { schema: SearchBody },
            'multipart/form-data': { schema: UploadQuery },
          },
        },
        response: { 200: SearchAnswer },
      },
    },
    request => {
      if (request.isMultipart()) {
        const { image, ...simple } = request.body as Static<typeof UploadQuery>
        if (!Buffer.isBuffer(image)) throw fault('API_BAD_REQUEST', 'image must be one file')
        return answer({ image, ...simpleQuery(simple) }, request)
      }
      return answer(queryOf(request.body as Static<typeof SearchBody>), request)
    },
  )

  app.get(
    '/frames/:id/similar',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'More like a stored frame',
        params: Type.Object({ id: FrameId }),
        querystring: SimilarQuery,
        response: { 200: SearchAnswer },
      },
    },
    request => answer({ id: request.params.id, ...simpleQuery(request.query) }, request),
  )

  app.post(
    '/explain',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Why a frame is a hit: the contribution of each part of the query',
        body: Type.Object({ frame: FrameId, ...QuestionShape }, { additionalProperties: false }),
        response: {
          200: Type.Object({ ...HitShape.properties, contributions: Type.Array(ContributionShape) }),
        },
      },
    },
    async request => {
      const { frame, ...question } = request.body
      const { contributions, ...hit } = await search.explain(narrowed(queryOf(question), request), frame)
      return { ...hitView(hit), contributions: [...contributions] }
    },
  )
}

function simpleQuery(simple: Static<typeof SimilarQuery>): SearchQuery {
  const { limit, cursor, minScore, diversity, groupBy, facets, ...filter } = simple
  return {
    limit: limit ?? 24,
    cursor,
    minScore,
    diversity: diversity === undefined ? undefined : { lambda: diversity },
    groupBy,
    facets,
    filter: parseFilter(filter),
  }
}
