import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Clock, fault } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { SearchQuery } from '../../search/query.ts'
import { MAX_KEPT_HITS, type SavedSearch, type SavedSearches } from '../../search/saved-searches.ts'
import type { RecordStore } from '../../store/record-store.ts'
import { actorOf } from '../actor.ts'
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
  owner: Type.Union([Type.String(), Type.Null()], { description: 'Who saved it.' }),
  createdAt: Type.String({ format: 'date-time' }),
  threshold: Threshold,
  subjects: Type.Array(Type.String(), { description: 'What is looked for; negatives begin with a minus.' }),
  filter: Type.Object(SearchFilterShape),
  fingerprint: Type.String({ description: 'Of its model; dormant while the hub runs another.' }),
})

export interface SavedSearchParts {
  readonly saved: SavedSearches
  readonly store: Pick<RecordStore, 'frame'>
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Standing queries. Hits also come over /live, as `saved-search`. Whoever is limited has his own ones alone, and of their
 * hits those that he may still see.
 */
export const savedSearchRoutes: FastifyPluginAsyncTypebox<SavedSearchParts> = async (
  app,
  { saved, store, clock },
) => {
  const isFor = ({ caller }: FastifyRequest, { owner }: SavedSearch) =>
    !caller.scope.limited || owner === caller.actor
  /** @throws API_NOT_FOUND */
  const found = (request: FastifyRequest, id: string) => {
    const search = saved.get(id)
    if (!isFor(request, search)) throw fault('API_NOT_FOUND', `there is no saved search ${id}`)
    return search
  }
  /** Viewers change what is theirs. @throws API_NOT_FOUND, API_FORBIDDEN */
  const changeable = (request: FastifyRequest, id: string) => {
    const { owner } = found(request, id)
    if (request.caller.role === 'viewer' && owner !== request.caller.actor)
      throw fault('API_FORBIDDEN', "this search is somebody else's: it needs the role operator")
    return id
  }
  const narrowed = (request: FastifyRequest, query: SearchQuery): SearchQuery => ({
    ...query,
    filter: request.caller.scope.narrow(query.filter ?? {}),
  })
  const changeOf = (request: FastifyRequest, { name, threshold, ...question }: Static<typeof Body>) => ({
    name,
    threshold,
    query: narrowed(request, queryOf(question)),
    owner: actorOf(request),
    at: clock.now(),
  })

  app.get(
    '/searches',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Saved searches, newest first',
        response: { 200: Type.Object({ searches: Type.Array(SavedSearchShape) }) },
      },
    },
    async request => ({
      searches: saved
        .list()
        .filter(search => isFor(request, search))
        .map(savedSearchView),
    }),
  )

  app.post(
    '/searches',
    {
      config: { role: 'viewer', limited: true },
      schema: { summary: 'Save a search', body: Body, response: { 201: SavedSearchShape } },
    },
    async (request, reply) => {
      const search = await saved.save(changeOf(request, request.body))
      return reply.status(201).send(savedSearchView(search))
    },
  )

  app.post(
    '/searches/threshold',
    {
      config: { role: 'viewer', limited: true },
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
    async request => ({
      suggestions: await saved.suggestions(narrowed(request, queryOf(request.body))),
    }),
  )

  app.get(
    '/searches/:id',
    {
      config: { role: 'viewer', limited: true },
      schema: { summary: 'One saved search', params: Id, response: { 200: SavedSearchShape } },
    },
    async request => savedSearchView(found(request, request.params.id)),
  )

  app.put(
    '/searches/:id',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Replace a saved search',
        params: Id,
        body: Body,
        response: { 200: SavedSearchShape },
      },
    },
    async request => {
      const id = changeable(request, request.params.id)
      return savedSearchView(await saved.save({ id, ...changeOf(request, request.body) }))
    },
  )

  app.delete(
    '/searches/:id',
    {
      config: { role: 'viewer', limited: true },
      schema: { summary: 'Delete a saved search and its hits', params: Id, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await saved.remove(changeable(request, request.params.id))
      return reply.status(204).send(null)
    },
  )

  app.get(
    '/searches/:id/hits',
    {
      config: { role: 'viewer', limited: true },
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
    async request => {
      const { scope } = request.caller
      const { id } = found(request, request.params.id)
      const mayStillSee = (frameId: string) => {
        const frame = scope.limited ? store.frame(frameId) : undefined
        return !scope.limited || (frame !== undefined && scope.sees(frame))
      }
      const hits = saved
        .hits(id, request.query.limit ?? 50)
        .filter(({ frameId }) => mayStillSee(frameId))
        .map(({ capturedAt, ...hit }) => ({ ...hit, capturedAt: new Date(capturedAt).toISOString() }))
      return { hits }
    },
  )
}

export function savedSearchView({
  createdAt,
  filter: { from, to, scope: _, ...names },
  ...search
}: SavedSearch) {
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
