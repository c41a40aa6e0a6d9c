import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import type { RuleDocument } from '../../store/record-store.ts'
import { RulesShape } from '../shapes.ts'

export const ruleRoutes: FastifyPluginAsyncTypebox<{ rules: RuleDesk }> = async (app, { rules }) => {
  const view = (document: RuleDocument) => ({
    version: document.version,
    updatedAt: new Date(document.updatedAt).toISOString(),
    rules: [...document.rules],
    warnings: rules.warnings(),
  })

  app.get(
    '/rules',
    { config: { role: 'viewer' }, schema: { summary: 'The rules in force', response: { 200: RulesShape } } },
    async () => view(rules.get()),
  )

  app.put(
    '/rules',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Replace the rules and send them to every device',
        description:
          'Give the version that was read to be refused when somebody else has changed the rules since.',
        // The rule desk checks the rules itself, to name every fault by its path.
        body: Type.Object(
          {
            rules: Type.Array(Type.Unknown(), { maxItems: 10_000 }),
            version: Type.Optional(Type.Integer({ minimum: 0 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: RulesShape },
      },
    },
    async ({ body }) => view(await rules.put(body.rules, body.version)),
  )
}
