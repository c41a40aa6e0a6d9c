import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Address, DesiredConfig, NAME_PATTERN, ReportedConfig, redacted } from '@sightline/core'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { ConfigDocument } from '../../fleet/fleet-tables.ts'
import { DRIFT_STATES } from '../../fleet/health.ts'
import type { ConfigTarget, Shadow } from '../../fleet/shadow.ts'
import type { AuditLog } from '../../store/audit-log.ts'
import { actorOf } from '../actor.ts'
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

export interface DeviceConfigRouteParts {
  readonly shadow: Shadow
  readonly audit: Pick<AuditLog, 'record'>
}

/** Settings that the hub decides for its devices, and what they make of them. */
export const deviceConfigRoutes: FastifyPluginAsyncTypebox<DeviceConfigRouteParts> = async (
  app,
  { shadow, audit },
) => {
  const put = async (target: ConfigTarget, request: FastifyRequest, { settings, version }: ConfigBody) => {
    const actor = actorOf(request)
    const document = await shadow.put(target, { settings, expectedVersion: version, actor })
    await audit.record({
      actor,
      action: target.node === undefined ? 'site.configured' : 'device.configured',
      subject: target.node === undefined ? target.site : `${target.site}/${target.node}`,
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
