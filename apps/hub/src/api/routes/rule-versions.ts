import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Rule } from '@sightline/core'
import { Type } from 'typebox'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import type { RuleChange, RuleHistory } from '../../rules/rule-history.ts'
import { actorOf } from '../actor.ts'
import { Limit, RulesShape } from '../shapes.ts'

const Ids = Type.Array(Type.String())
const Change = Type.Object({
  version: Type.Integer(),
  at: Type.String({ format: 'date-time' }),
  actor: Type.String({ description: 'Who changed them; hub: the hub itself.' }),
  added: Ids,
  changed: Ids,
  removed: Ids,
  restored: Type.Union([Type.Integer(), Type.Null()], { description: 'The version that was restored.' }),
})
const Version = Type.Object({ version: Type.Integer({ minimum: 1 }) })

export interface VersionParts {
  readonly rules: RuleDesk
  readonly history: RuleHistory
}

export const ruleVersionRoutes: FastifyPluginAsyncTypebox<VersionParts> = async (app, { rules, history }) => {
  app.get(
    '/rules/history',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Changes of the rules, newest first',
        querystring: Type.Object(
          {
            limit: Limit(50, 1000),
            before: Type.Optional(
              Type.Integer({ minimum: 1, description: 'Only versions before this one.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ changes: Type.Array(Change) }) },
      },
    },
    async ({ query: { limit, before } }) => ({ changes: history.list(limit ?? 50, before).map(changeView) }),
  )

  app.get(
    '/rules/versions/:version',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'The rules as they were',
        params: Version,
        response: { 200: Type.Object({ ...Change.properties, rules: Type.Array(Rule) }) },
      },
    },
    async ({ params }) => {
      const version = history.version(params.version)
      return { ...changeView(version), rules: [...version.rules] }
    },
  )

  app.post(
    '/rules/versions/:version/restore',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Put the rules of an earlier version in force again, as a new version',
        params: Version,
        response: { 200: RulesShape },
      },
    },
    async request => {
      const document = await rules.restore(request.params.version, { actor: actorOf(request) })
      return {
        version: document.version,
        updatedAt: new Date(document.updatedAt).toISOString(),
        rules: [...document.rules],
        warnings: rules.warnings(),
      }
    },
  )
}

function changeView({ at, added, changed, removed, ...change }: RuleChange) {
  return {
    ...change,
    at: new Date(at).toISOString(),
    added: [...added],
    changed: [...changed],
    removed: [...removed],
  }
}
