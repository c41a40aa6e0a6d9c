import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault, Rule } from '@sightline/core'
import { Type } from 'typebox'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import { rulePacks } from '../../rules/rule-packs.ts'
import { cannotWarnings } from '../../rules/validate.ts'
import { actorOf } from '../actor.ts'
import { RulesShape } from '../shapes.ts'

const { warnings: Warnings } = RulesShape.properties
const Pack = Type.Object({
  name: Type.String(),
  title: Type.String(),
  description: Type.String(),
  notes: Type.Array(Type.String()),
  rules: Type.Array(
    Type.Object({
      rule: Rule,
      note: Type.String(),
      added: Type.Boolean({ description: 'Whether its id is taken.' }),
    }),
  ),
  warnings: Warnings,
})

export interface PackParts {
  readonly rules: RuleDesk
  /** What the model of the hub was seen to get wrong. */
  readonly cannot: readonly string[]
}

/** Rules to start from. */
export const rulePackRoutes: FastifyPluginAsyncTypebox<PackParts> = async (app, { rules, cannot }) => {
  const packs = await rulePacks()

  app.get(
    '/rule-packs',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Packs of rules to start from',
        response: { 200: Type.Object({ packs: Type.Array(Pack) }) },
      },
    },
    async () => {
      const there = new Set(rules.get().rules.map(({ id }) => id))
      return {
        packs: packs.map(({ rules: packed, notes, ...pack }) => ({
          ...pack,
          notes: [...notes],
          rules: packed.map(({ rule, note }) => ({ rule, note, added: there.has(rule.id) })),
          warnings: cannotWarnings(
            packed.map(({ rule }) => rule),
            cannot,
          ),
        })),
      }
    },
  )

  app.post(
    '/rule-packs/:name/add',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Add the rules of a pack',
        description:
          'Switched off unless asked otherwise. Ids that are there already are left alone and told.',
        params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
        body: Type.Object(
          {
            enabled: Type.Optional(Type.Boolean({ default: false })),
            rules: Type.Optional(
              Type.Array(Rule.properties.id, { maxItems: 64, description: 'Only these; default: all.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            version: Type.Integer(),
            added: Type.Array(Type.String()),
            skipped: Type.Array(Type.String(), { description: 'There was a rule of that id.' }),
            warnings: Warnings,
          }),
        },
      },
      preValidation: async request => {
        request.body ??= {}
      },
    },
    async request => {
      const { name } = request.params
      const { enabled = false, rules: wanted } = request.body
      const pack = packs.find(each => each.name === name)
      if (pack === undefined) throw fault('API_NOT_FOUND', `there is no rule pack ${name}`)
      const unknown = wanted?.find(id => !pack.rules.some(({ rule }) => rule.id === id))
      if (unknown !== undefined) throw fault('API_BAD_REQUEST', `rules: ${name} has no rule ${unknown}`)
      const given = pack.rules
        .filter(({ rule }) => wanted?.includes(rule.id) ?? true)
        .map(({ rule }) => ({ ...rule, enabled }))
      const added = await rules.addMissing(given, actorOf(request))
      return {
        version: rules.get().version,
        added,
        skipped: given.map(({ id }) => id).filter(id => !added.includes(id)),
        warnings: rules.warnings().filter(({ rule }) => added.includes(rule)),
      }
    },
  )
}
