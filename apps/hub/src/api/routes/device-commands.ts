import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Address, COMMANDS, CommandReply, fault, NAME_PATTERN } from '@sightline/core'
import { Type } from 'typebox'
import { type Commands, MAX_EXPIRY_MS } from '../../fleet/commands.ts'
import type { CommandRow } from '../../fleet/fleet-tables.ts'
import type { AuditLog } from '../../store/audit-log.ts'
import type { RecordStore } from '../../store/record-store.ts'
import { actorOf } from '../actor.ts'
import { Limit } from '../shapes.ts'
import { iso } from '../views.ts'

const Name = Type.String({ pattern: NAME_PATTERN })
const Time = Type.String({ format: 'date-time' })
const Args = Type.Record(Type.String(), Type.Unknown())
const DevicePath = Type.Object({ site: Name, node: Name })

const CommandShape = Type.Object({
  id: Type.String(),
  command: Type.String(),
  args: Args,
  actor: Type.String(),
  issuedAt: Time,
  expiresAt: Time,
  status: Type.Enum(['sent', 'expired', 'accepted', 'progress', 'done', 'failed']),
  replies: Type.Array(Type.Object({ ...CommandReply.properties, hasResult: Type.Optional(Type.Boolean()) })),
})

export interface DeviceCommandRouteParts {
  readonly commands: Commands
  readonly store: Pick<RecordStore, 'node'>
  readonly audit: Pick<AuditLog, 'record'>
}

/** What devices are told to do, once, and what they answer. */
export const deviceCommandRoutes: FastifyPluginAsyncTypebox<DeviceCommandRouteParts> = async (
  app,
  { commands, store, audit },
) => {
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
            args: Type.Optional(Args),
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
      await audit.record({
        actor,
        action: 'device.commanded',
        subject: `${params.site}/${params.node}`,
        detail,
      })
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

function requireKnown(store: Pick<RecordStore, 'node'>, { site, node }: Address): void {
  if (store.node(site, node) === undefined) throw fault('API_NOT_FOUND', `${site}/${node} has never reported`)
}
