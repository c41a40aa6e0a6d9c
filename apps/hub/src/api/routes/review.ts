import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { ReviewDesk } from '../../moderation/review-desk.ts'
import type { AuditEvent, AuditLog } from '../../store/audit-log.ts'
import { type Incident, REVIEW_VERDICTS, type RecordStore } from '../../store/record-store.ts'
import { actorOf } from '../actor.ts'
import { parseFilter } from '../filter.ts'
import type { LiveFeed } from '../live-feed.ts'
import { FilterShape, IncidentShape, Limit } from '../shapes.ts'
import { incidentView, iso } from '../views.ts'

const RuleId = Type.String({ minLength: 1, maxLength: 64 })
const Id = Type.Object({ incident: Type.String({ minLength: 1, maxLength: 64 }) })

const Queued = Type.Object({
  ...IncidentShape.properties,
  reason: Type.Enum(['priority', 'audit'], { description: 'By rank, or drawn at random.' }),
  uncertainty: Type.Union([Type.Number(), Type.Null()], {
    description:
      'Nearness of the peak score to the threshold of the rule, 0 to 1; null when the rule is gone.',
  }),
})

const LabelShape = Type.Object({
  frameId: Type.String(),
  rule: Type.String(),
  positive: Type.Boolean(),
  incident: Type.String(),
  at: Type.String({ format: 'date-time' }),
})

const RecordShape = Type.Object({
  rule: Type.String(),
  reviewed: Type.Integer({ description: 'Incidents that it raised and that were reviewed.' }),
  confirmed: Type.Integer(),
  precision: Type.Number({ description: 'confirmed / reviewed' }),
  notes: Type.Array(
    Type.Object({
      incident: Type.String(),
      verdict: Type.Enum([...REVIEW_VERDICTS]),
      note: Type.String(),
      at: Type.String({ format: 'date-time' }),
    }),
    { description: 'What reviewers wrote with their verdicts, newest first; five at most.' },
  ),
})

export interface ReviewParts {
  readonly reviews: ReviewDesk
  readonly store: RecordStore
  readonly live: LiveFeed
  readonly audit: Pick<AuditLog, 'record'>
}

export const reviewRoutes: FastifyPluginAsyncTypebox<ReviewParts> = async (
  app,
  { reviews, store, live, audit },
) => {
  /** Whoever watches sees what was said, too. */
  const tell = (incident: Incident) => {
    const view = incidentView(incident, store)
    live.send('incident', view)
    return view
  }

  const record = (request: FastifyRequest, action: string, subject: string, detail: AuditEvent['detail']) =>
    audit.record({ actor: actorOf(request), action, subject, detail })

  app.get(
    '/review',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Incidents that nobody has reviewed, most pressing first',
        description:
          'By severity, then by nearness to the threshold; every tenth is drawn at random (audit). Of very many the ' +
          'newest 5000 are ranked.',
        querystring: Type.Object(
          { limit: Limit(50, 500), rule: Type.Optional(RuleId), ...FilterShape },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ waiting: Type.Integer(), incidents: Type.Array(Queued) }) },
      },
    },
    async ({ query: { limit, rule, ...filter }, caller: { scope } }) => {
      const queue = reviews.queue(scope.narrow({ ...parseFilter(filter), rule }))
      const incidents = queue.slice(0, limit ?? 50).map(({ incident, reason, uncertainty }) => ({
        ...incidentView(incident, store),
        reason,
        uncertainty,
      }))
      return { waiting: queue.length, incidents }
    },
  )

  app.get(
    '/review/records',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'How often reviewers agreed with each rule',
        description: 'Over the newest 1000 labels. The text of a rule may have changed since.',
        response: { 200: Type.Object({ records: Type.Array(RecordShape) }) },
      },
    },
    async () => ({
      records: reviews.records().map(({ notes, ...each }) => ({
        ...each,
        precision: each.confirmed / each.reviewed,
        notes: notes.map(({ at, ...note }) => ({ ...note, at: iso(at) })),
      })),
    }),
  )

  app.post(
    '/review/:incident',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Confirm, dismiss or relabel an incident',
        description: 'Its best frame becomes a label. A second verdict replaces the first.',
        params: Id,
        body: Type.Object(
          {
            verdict: Type.Enum([...REVIEW_VERDICTS]),
            rule: Type.Optional(RuleId),
            note: Type.Optional(Type.String({ maxLength: 2000 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: IncidentShape },
      },
    },
    async request => {
      const { incident: id } = request.params
      const incident = await reviews.review(id, request.body)
      const { verdict, rule = null } = request.body
      await record(request, 'incident.reviewed', id, { verdict, rule })
      return tell(incident)
    },
  )

  app.delete(
    '/review/:incident',
    {
      config: { role: 'operator' },
      schema: { summary: 'Take a review back', params: Id, response: { 200: IncidentShape } },
    },
    async request => {
      const { incident: id } = request.params
      const incident = await reviews.undo(id)
      await record(request, 'incident.review-withdrawn', id, {})
      return tell(incident)
    },
  )

  app.get(
    '/labels',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'What reviewers said of frames, newest first',
        querystring: Type.Object(
          { limit: Limit(100, 10_000), rule: Type.Optional(RuleId) },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ labels: Type.Array(LabelShape) }) },
      },
    },
    async ({ query: { limit, rule } }) => ({
      labels: store.labels({ rule }, limit ?? 100).map(({ frame, at, ...label }) => ({
        ...label,
        frameId: frame,
        at: iso(at),
      })),
    }),
  )
}
