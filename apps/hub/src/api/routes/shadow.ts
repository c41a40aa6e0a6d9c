import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  type Address,
  COMMANDS,
  CommandReply,
  DesiredConfig,
  fault,
  NAME_PATTERN,
  ReportedConfig,
  redacted,
} from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { type Commands, MAX_EXPIRY_MS } from '../../fleet/commands.ts'
import type { CommandRow, ConfigDocument } from '../../fleet/fleet-tables.ts'
import { DRIFT_STATES } from '../../fleet/health.ts'
import type { ConfigTarget, Shadow } from '../../fleet/shadow.ts'
import type { AuditLog } from '../../store/audit-log.ts'
import type { RecordStore } from '../../store/record-store.ts'
import { actorOf } from '../actor.ts'
import { Limit } from '../shapes.ts'
import { iso } from '../views.ts'

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const Name = Type.String({ pattern: NAME_PATTERN })
const Time = Type.String({ format: 'date-time' })
const Settings = Type.Record(Type.String(), Type.Unknown())
const DevicePath = Type.Object({ site: Name, node: Name })
const SitePath = Type.Object({ site: Name })

const DocumentShape = Type.Object({
  version: Type.Integer({ description: '0: nobody has written any.' }),
  settings: Settings,
  actor: nullable(Type.String()),
  at: nullable(Time),
})

const DeviceConfigShape = Type.Object({
  device: DocumentShape,
  site: DocumentShape,
  issued: nullable(DesiredConfig),
  reported: nullable(Type.Object({ ...ReportedConfig.properties, receivedAt: Time })),
  drift: Type.Object({
    state: Type.Enum([...DRIFT_STATES]),
    since: nullable(Time),
    detail: nullable(Type.String()),
  }),
})

const ConfigBody = Type.Object(
  {
    settings: Settings,
    version: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Refuses the change when somebody else made one since.' }),
    ),
  },
  { additionalProperties: false },
)
type ConfigBody = Static<typeof ConfigBody>

const CommandShape = Type.Object({
  id: Type.String(),
  command: Type.String(),
  args: Settings,
  actor: Type.String(),
  issuedAt: Time,
  expiresAt: Time,
  status: Type.Enum(['sent', 'expired', 'accepted', 'progress', 'done', 'failed']),
  replies: Type.Array(Type.Object({ ...CommandReply.properties, hasResult: Type.Optional(Type.Boolean()) })),
})

export interface ShadowRouteParts {
  readonly shadow: Shadow
  readonly commands: Commands
  readonly store: Pick<RecordStore, 'node'>
  readonly audit: Pick<AuditLog, 'record'>
}

/** What the hub decides for its devices, and what they make of it. */
export const shadowRoutes: FastifyPluginAsyncTypebox<ShadowRouteParts> = async (
  app,
  { shadow, commands, store, audit },
) => {
  const put = async (target: ConfigTarget, request: FastifyRequest, { settings, version }: ConfigBody) => {
    const actor = actorOf(request)
    const document = await shadow.put(target, { settings, expectedVersion: version, actor })
    await audit.record({
      actor,
      action: target.node === undefined ? 'site.configured' : 'device.configured',
      subject: subjectOf(target),
      // Values may be secrets; the history of the document has them.
      detail: { version: document.version, settings: Object.keys(document.settings).join(' ').slice(0, 200) },
    })
    return document
  }
  app.get(
    '/devices/:site/:node/config',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Configuration of a device: written, sent, reported, and how far they differ',
        description:
          'Credentials in addresses are blacked out; sent back as they are, they stay as they were.',
        params: DevicePath,
        response: { 200: DeviceConfigShape },
      },
    },
    async ({ params }) => configView(shadow, params),
  )
  app.put(
    '/devices/:site/:node/config',
    {
      config: { role: 'operator' },
      schema: {
        summary: "Replace a device's settings, laid over those of its site, and send them",
        description:
          'The device checks them; what it rejects stands in `reported`, and the last good ones stay.',
        params: DevicePath,
        body: ConfigBody,
        response: { 200: DeviceConfigShape },
      },
    },
    async request => {
      const { params, body } = request
      await put(params, request, body)
      return configView(shadow, params)
    },
  )
  app.get(
    '/devices/:site/:node/config/history',
    {
      config: { role: 'viewer' },
      schema: {
        summary: "The newest changes of a device's settings, newest first",
        params: DevicePath,
        response: { 200: Type.Object({ changes: Type.Array(DocumentShape) }) },
      },
    },
    async ({ params }) => ({ changes: shadow.history(params).map(documentView) }),
  )
  app.get(
    '/sites/:site/config',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Settings of all devices of a site',
        params: SitePath,
        response: { 200: DocumentShape },
      },
    },
    async ({ params }) => documentView(shadow.document(params)),
  )
  app.put(
    '/sites/:site/config',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Replace the settings of all devices of a site, and send them',
        params: SitePath,
        body: ConfigBody,
        response: { 200: DocumentShape },
      },
    },
    async request => documentView(await put(request.params, request, request.body)),
  )
  app.get(
    '/sites/:site/config/history',
    {
      config: { role: 'viewer' },
      schema: {
        summary: "The newest changes of a site's settings, newest first",
        params: SitePath,
        response: { 200: Type.Object({ changes: Type.Array(DocumentShape) }) },
      },
    },
    async ({ params }) => ({ changes: shadow.history(params).map(documentView) }),
  )
  app.post(
    '/devices/:site/:node/commands',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Have a device do something, once',
        description: 'Its replies come as `reply` events of /live and stand in the list of commands.',
        params: DevicePath,
        body: Type.Object(
          {
            command: Type.Enum([...COMMANDS]),
            args: Type.Optional(Settings),
            expiresInSeconds: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: MAX_EXPIRY_MS / 1000,
                description: 'A device that is away for so long never does it; 300 by default.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 202: CommandShape },
      },
    },
    async (request, reply) => {
      const { params } = request
      requireKnown(store, params)
      const { command, args = {}, expiresInSeconds } = request.body
      const expiryMs = expiresInSeconds === undefined ? undefined : expiresInSeconds * 1000
      const actor = actorOf(request)
      const row = await commands.send(params, { command, args, expiryMs, actor })
      const detail = { command, id: row.command.id }
      await audit.record({ actor, action: 'device.commanded', subject: subjectOf(params), detail })
      return reply.status(202).send(commandView(row, commands))
    },
  )
  app.get(
    '/devices/:site/:node/commands',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'The newest commands of a device, newest first, without the results',
        params: DevicePath,
        querystring: Type.Object({ limit: Limit(50, 200) }),
        response: { 200: Type.Object({ commands: Type.Array(CommandShape) }) },
      },
    },
    async ({ params, query }) => ({
      commands: commands
        .list(params, query.limit ?? 50)
        .map(row => withoutResults(commandView(row, commands))),
    }),
  )
  app.get(
    '/devices/:site/:node/commands/:id',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'A command with its replies and its result',
        params: Type.Object({ ...DevicePath.properties, id: Type.String({ maxLength: 64 }) }),
        response: { 200: CommandShape },
      },
    },
    async ({ params }) => commandView(commands.get(params, params.id), commands),
  )
}

/** As a live event: pictures and logs are fetched by whoever wants them. */
export function replyEvent(address: Address, row: CommandRow, commands: Commands) {
  return { ...address, ...withoutResults(commandView(row, commands)) }
}

export function configEvent({ site, node }: Address, shadow: Shadow) {
  return { site, node, drift: configView(shadow, { site, node }).drift }
}

function configView(shadow: Shadow, { site, node }: Address) {
  const issued = shadow.issued({ site, node })
  const row = shadow.reported({ site, node })
  const { state, since, detail } = shadow.drift({ site, node })
  return {
    device: documentView(shadow.document({ site, node })),
    site: documentView(shadow.document({ site })),
    issued: issued === undefined ? null : { ...issued, settings: blackedOut(issued.settings) },
    reported: row === undefined ? null : { ...row.reported, receivedAt: iso(row.receivedAt) },
    drift: { state, since: since === null ? null : iso(since), detail },
  }
}

function documentView(document: ConfigDocument | undefined) {
  if (document === undefined) return { version: 0, settings: {}, actor: null, at: null }
  const { version, settings, actor, at } = document
  return { version, settings: blackedOut(settings), actor, at: iso(at) }
}

function blackedOut(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redacted(settings) as Record<string, unknown>
}

function commandView(row: CommandRow, commands: Commands) {
  const { id, command, args, issuedAt, expiresAt } = row.command
  return {
    id,
    command,
    args,
    actor: row.actor,
    issuedAt: iso(issuedAt),
    expiresAt: iso(expiresAt),
    status: commands.statusOf(row),
    replies: [...row.replies] as (CommandReply & { hasResult?: boolean })[],
  }
}

function withoutResults(view: ReturnType<typeof commandView>) {
  const replies = view.replies.map(({ result, ...rest }) =>
    result === undefined ? rest : { ...rest, hasResult: true },
  )
  return { ...view, replies }
}

function subjectOf({ site, node }: ConfigTarget): string {
  return node === undefined ? site : `${site}/${node}`
}

function requireKnown(store: Pick<RecordStore, 'node'>, { site, node }: Address): void {
  if (store.node(site, node) === undefined) throw fault('API_NOT_FOUND', `${site}/${node} has never reported`)
}
