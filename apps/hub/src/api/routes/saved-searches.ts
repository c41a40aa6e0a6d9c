import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Clock } from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { SearchQuery } from '../../search/query.ts'
import { MAX_KEPT_HITS, type SavedSearch, type SavedSearches } from '../../search/saved-searches.ts'
import { QuestionShape, SearchFilterShape } from '../search-shapes.ts'
import { queryOf } from '../search-views.ts'
import { Limit } from '../shapes.ts'

const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
const Threshold = Type.Number({ minimum: -1, maximum: 1, description: 'Cosine from which a frame is a hit.' })
const Body = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    ...QuestionShape,
    threshold: Type.Optional(Threshold),
  },
  {
    additionalProperties: false,
    description: 'Without a threshold: the one that about one typical frame in a thousand reaches.',
  },
)

export const SavedSearchShape = Type.Object({
  id: Type.String(),
  name: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  threshold: Threshold,
  subjects: Type.Array(Type.String(), { description: 'What is looked for; negatives begin with a minus.' }),
  filter: Type.Object(SearchFilterShape),
  fingerprint: Type.String({ description: 'Of its model; dormant while the hub runs another.' }),
})

export interface SavedSearchParts {
  readonly saved: SavedSearches
  readonly clock: Pick<Clock, 'now'>
}

/** Standing queries. Hits also come over /live, as `saved-search`. */
export const savedSearchRoutes: FastifyPluginAsyncTypebox<SavedSearchParts> = async (
  app,
  { saved, clock },
) => {
  app.get(
    '/searches',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Saved searches, newest first',
        response: { 200: Type.Object({ searches: Type.Array(SavedSearchShape) }) },
      },
    },
    async () => ({ searches: saved.list().map(savedSearchView) }),
  )

  app.post(
    '/searches',
    {
      config: { role: 'operator' },
      schema: { summary: 'Save a search', body: Body, response: { 201: SavedSearchShape } },
    },
    async ({ body }, reply) => {
      const search = await saved.save({ ...changeOf(body), at: clock.now() })
      return reply.status(201).send(savedSearchView(search))
    },
  )

  app.post(
    '/searches/threshold',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Thresholds for a search, from loose to strict',
        description:
          'From the stored frames as they are: where normally distributed similarities have so thin a tail.',
        body: Type.Object(QuestionShape, { additionalProperties: false }),
        response: {
          200: Type.Object({
            suggestions: Type.Array(
              Type.Object({
                threshold: Threshold,
                share: Type.Number({ description: 'Of typical frames, about so many reach it.' }),
              }),
              { description: 'Empty while fewer than 50 frames are stored.' },
            ),
          }),
        },
      },
    },
    async ({ body }) => ({ suggestions: await saved.suggestions(queryOf(body)) }),
  )

  app.get(
    '/searches/:id',
    {
      config: { role: 'viewer' },
      schema: { summary: 'One saved search', params: Id, response: { 200: SavedSearchShape } },
    },
    async ({ params }) => savedSearchView(saved.get(params.id)),
  )

  app.put(
    '/searches/:id',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Replace a saved search',
        params: Id,
        body: Body,
        response: { 200: SavedSearchShape },
      },
    },
    async ({ params, body }) =>
      savedSearchView(await saved.save({ id: params.id, ...changeOf(body), at: clock.now() })),
  )

  app.delete(
    '/searches/:id',
    {
      config: { role: 'operator' },
      schema: { summary: 'Delete a saved search and its hits', params: Id, response: { 204: Type.Null() } },
    },
    async ({ params }, reply) => {
      await saved.remove(params.id)
      return reply.status(204).send(null)
    },
  )

  app.get(
    '/searches/:id/hits',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Newest hits of a saved search',
        description: `The newest ${MAX_KEPT_HITS} are kept.`,
        params: Id,
        querystring: Type.Object({ limit: Limit(50, MAX_KEPT_HITS) }, { additionalProperties: false }),
        response: {
          200: Type.Object({
            hits: Type.Array(
              Type.Object({
                frameId: Type.String(),
                capturedAt: Type.String({ format: 'date-time' }),
                similarity: Type.Number(),
              }),
            ),
          }),
        },
      },
    },
    async ({ params, query }) => ({
      hits: saved.hits(params.id, query.limit ?? 50).map(({ frameId, capturedAt, similarity }) => ({
        frameId,
        capturedAt: new Date(capturedAt).toISOString(),
        similarity,
      })),
    }),
  )
}

export function savedSearchView({ createdAt, filter: { from, to, ...names }, ...search }: SavedSearch) {
  return {
    ...search,
    createdAt: new Date(createdAt).toISOString(),
    subjects: [...search.subjects],
    filter: {
      ...(JSON.parse(JSON.stringify(names)) as Static<typeof SavedSearchShape>['filter']),
      ...(from === undefined ? {} : { from: new Date(from).toISOString() }),
      ...(to === undefined ? {} : { to: new Date(to).toISOString() }),
    },
  }
}

function changeOf({ name, threshold, ...question }: Static<typeof Body>): {
  name: string
  threshold: number | undefined
  query: SearchQuery
} {
  return { name, threshold, query: queryOf(question) }
}
