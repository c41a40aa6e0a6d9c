import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault, Rule } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import type { FastifyError, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Caller } from '../../auth/caller.ts'
import type { RuleDesk } from '../../rules/rule-desk.ts'
import { MAX_RULES_BYTES, placesInRulesFile, readRulesFile, writeRulesFile } from '../../rules/rule-file.ts'
import type { RecordStore, RuleDocument } from '../../store/record-store.ts'
import { actorOf } from '../actor.ts'
import { RulesShape } from '../shapes.ts'

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml']

const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
const ExpectedVersion = Type.Object(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Refused when the rules are not at this version any more.' }),
    ),
  },
  { additionalProperties: false },
)
const OneRule = Type.Object({ version: Type.Integer(), rule: Rule, warnings: RulesShape.properties.warnings })
const Checked = Type.Object({
  faults: Type.Array(
    Type.Object({
      path: Type.String(),
      message: Type.String(),
      line: Type.Optional(Type.Integer({ description: 'In the YAML that was sent, from 1.' })),
      column: Type.Optional(Type.Integer()),
    }),
  ),
  warnings: RulesShape.properties.warnings,
  rules: Type.Array(Rule, { description: 'With their defaults filled in; none when there are faults.' }),
})
const Format = Type.Object(
  { format: Type.Optional(Type.Enum(['json', 'yaml'], { default: 'json' })) },
  { additionalProperties: false },
)
// The rule desk checks the rules itself, to name every fault by its path.
const Document = Type.Object(
  {
    rules: Type.Array(Type.Unknown(), { maxItems: 10_000 }),
    version: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
)
const Unchecked = Type.Unknown({ description: 'A rule; the schema is docs/schema/rule.json.' })

declare module 'fastify' {
  interface FastifyRequest {
    /** The YAML that the body was read from; empty when it was not YAML. */
    rulesFile: string
  }
}

export interface RuleParts {
  readonly rules: RuleDesk
  readonly store: Pick<RecordStore, 'cameras'>
  /** Largest request that the hub takes at all. */
  readonly maxBodyBytes: number
}

export const ruleRoutes: FastifyPluginAsyncTypebox<RuleParts> = async (
  app,
  { rules, store, maxBodyBytes },
) => {
  const bodyLimit = Math.min(maxBodyBytes, MAX_RULES_BYTES)
  const limits = { bodyLimit, errorHandler: tooLarge(bodyLimit) }
  app.decorateRequest('rulesFile', '')
  app.addContentTypeParser(
    YAML_TYPES,
    { parseAs: 'string', bodyLimit },
    async (request: FastifyRequest, text: string) => {
      request.rulesFile = text
      return readRulesFile(text)
    },
  )
  const view = (document: RuleDocument) => ({
    version: document.version,
    updatedAt: new Date(document.updatedAt).toISOString(),
    rules: [...document.rules],
    warnings: rules.warnings().filter(({ rule }) => document.rules.some(({ id }) => id === rule)),
  })
  const viewOne = (id: string, { version }: RuleDocument) => ({
    version,
    rule: rules.rule(id),
    warnings: rules.warnings().filter(({ rule }) => rule === id),
  })
  const options = (request: FastifyRequest & { query: { version?: number } }) => ({
    expectedVersion: request.query.version,
    actor: actorOf(request),
  })
  /** A limited viewer sees the rules of the cameras that he sees, and no other's name in them. */
  const visible = (given: readonly Rule[], { scope }: Caller): Rule[] => {
    if (!scope.limited) return [...given]
    const cameras = store.cameras().filter(camera => scope.sees(camera))
    return given.flatMap(rule => {
      const own = cameras.filter(
        ({ site, camera }) => matchesCamera(rule.sites, site) && matchesCamera(rule.cameras, camera),
      )
      if (own.length === 0) return []
      const sites = rule.sites.filter(glob => own.some(({ site }) => matchesCamera([glob], site)))
      const globs = rule.cameras.filter(glob => own.some(({ camera }) => matchesCamera([glob], camera)))
      return [{ ...rule, sites, cameras: globs }]
    })
  }

  app.get(
    '/rules',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'The rules in force',
        querystring: Format,
        response: { 200: RulesShape },
      },
    },
    async ({ query: { format }, caller }, reply) => {
      const document = rules.get()
      const shown = { ...document, rules: visible(document.rules, caller) }
      if (format !== 'yaml') return view(shown)
      reply.header('content-type', 'application/yaml; charset=utf-8').serializer(String)
      return writeRulesFile(shown) as never
    },
  )

  app.put(
    '/rules',
    {
      config: { role: 'operator' },
      ...limits,
      schema: {
        summary: 'Replace the rules and send them to every device',
        description:
          'As JSON or, with content-type application/yaml, as YAML. Give the version that was read to be refused when ' +
          'somebody else has changed the rules since.',
        consumes: ['application/json', 'application/yaml'],
        body: Document,
        response: { 200: RulesShape },
      },
    },
    async request => view(await rules.put(request.body.rules, request.body.version, actorOf(request))),
  )

  app.post(
    '/rules',
    {
      config: { role: 'operator' },
      ...limits,
      schema: {
        summary: 'Add a rule',
        querystring: ExpectedVersion,
        body: Unchecked,
        response: { 201: OneRule },
      },
    },
    async (request, reply) => {
      const document = await rules.add(request.body, options(request))
      reply.status(201)
      return viewOne(document.rules.at(-1)!.id, document)
    },
  )

  app.post(
    '/rules/check',
    {
      config: { role: 'viewer' },
      ...limits,
      schema: {
        summary: 'What would be said of these rules, without putting them in force',
        consumes: ['application/json', 'application/yaml'],
        body: Document,
        response: { 200: Checked },
      },
    },
    async ({ body, rulesFile }) => {
      const { faults, warnings, rules: read } = rules.check(body.rules)
      const placeOf = faults.length > 0 && rulesFile !== '' ? placesInRulesFile(rulesFile) : () => ({})
      return {
        faults: faults.map(each => ({ ...each, ...placeOf(each.path) })),
        warnings: [...warnings],
        rules: [...read],
      }
    },
  )

  app.get(
    '/rules/:id',
    {
      config: { role: 'viewer', limited: true },
      schema: { summary: 'One rule', params: Id, querystring: Format, response: { 200: OneRule } },
    },
    async ({ params: { id }, query: { format }, caller }, reply) => {
      const [rule] = visible([rules.rule(id)], caller)
      if (rule === undefined) throw fault('API_NOT_FOUND', `there is no rule ${id}`)
      if (format !== 'yaml') return { ...viewOne(id, rules.get()), rule }
      reply.header('content-type', 'application/yaml; charset=utf-8').serializer(String)
      return writeRulesFile({ rules: [rule] }) as never
    },
  )

  app.put(
    '/rules/:id',
    {
      config: { role: 'operator' },
      ...limits,
      schema: {
        summary: 'Change a rule, or add it',
        params: Id,
        querystring: ExpectedVersion,
        body: Unchecked,
        response: { 200: OneRule },
      },
    },
    async request => {
      const { id } = request.params
      return viewOne(id, await rules.set(id, request.body, options(request)))
    },
  )

  app.delete(
    '/rules/:id',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Remove a rule',
        params: Id,
        querystring: ExpectedVersion,
        response: { 200: RulesShape },
      },
    },
    async request => view(await rules.remove(request.params.id, options(request))),
  )
}

/** Refused by its length, before anything of it is read as rules. */
function tooLarge(limit: number) {
  return (error: FastifyError): never => {
    if (error.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error
    throw fault('RULES_TOO_LARGE', `a document of rules may have ${limit} bytes`, { cause: error })
  }
}
