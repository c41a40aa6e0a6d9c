import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { DeviceCredential, EnrollRequest, fault, NAME_PATTERN } from '@sightline/core'
import { Type } from 'typebox'
import type { DeviceLogins } from '../../fleet/device-logins.ts'
import type { DeviceRecord } from '../../fleet/device-registry.ts'
import { type EnrolmentDesk, type HubUrls, MAX_TOKEN_LIFE_MS } from '../../fleet/enrolment-desk.ts'
import { enrolCommand } from '../../fleet/hub-urls.ts'
import { actorOf } from '../actor.ts'
import { basicLogin } from '../basic-login.ts'

/** By address. A fleet behind one address that is told to rotate comes at once. */
const ENROL_LIMIT = { max: 30, timeWindow: '1 minute' }
const ROTATE_LIMIT = { max: 120, timeWindow: '1 minute' }

const Name = Type.String({ pattern: NAME_PATTERN })
const Time = Type.String({ format: 'date-time' })
const Device = Type.Object({ site: Name, node: Name })
const DeviceShape = Type.Object({
  site: Name,
  node: Name,
  enrolledAt: Time,
  lastUsedAt: Type.Union([Time, Type.Null()], { description: 'Latest log-in, to the minute.' }),
  revokedAt: Type.Union([Time, Type.Null()]),
  rotationAskedAt: Type.Union([Time, Type.Null()], {
    description: 'Since when the device is to change its secret; null once it has.',
  }),
})
const EnrolmentShape = Type.Object({
  id: Type.String(),
  site: Name,
  node: Name,
  createdAt: Time,
  expiresAt: Time,
  createdBy: Type.String(),
})

export interface DeviceRouteParts {
  readonly desk: EnrolmentDesk
  readonly logins: DeviceLogins
  /** How the device that asks reaches this hub, given the host that its request named. */
  readonly urls: (requestHost: string) => HubUrls
  /** How another device does. */
  readonly urlsElsewhere: (requestHost: string) => HubUrls
}

export const deviceRoutes: FastifyPluginAsyncTypebox<DeviceRouteParts> = async (
  app,
  { desk, logins, urls, urlsElsewhere },
) => {
  app.post(
    '/enrollments',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'A one-time token by which one device enrols',
        description: 'The token is shown in this answer alone: the hub keeps its hash.',
        body: Type.Object(
          {
            site: Name,
            node: Name,
            expiresInSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TOKEN_LIFE_MS / 1000 })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            id: Type.String(),
            token: Type.String(),
            expiresAt: Time,
            command: Type.String({ description: 'To be pasted on the device.' }),
          }),
        },
      },
    },
    async (request, reply) => {
      const { expiresInSeconds, ...address } = request.body
      const lifeMs = expiresInSeconds === undefined ? undefined : expiresInSeconds * 1000
      const { id, token, expiresAt } = await desk.issue(address, { actor: actorOf(request), lifeMs })
      const command = enrolCommand(urlsElsewhere(request.host).hubUrl, token)
      reply.header('cache-control', 'no-store')
      return { id, token, expiresAt: isoTime(expiresAt), command }
    },
  )

  app.get(
    '/enrollments',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Enrolment tokens that can still be used, newest first',
        response: { 200: Type.Object({ enrollments: Type.Array(EnrolmentShape) }) },
      },
    },
    async () => ({
      enrollments: desk.open().map(({ tokenHash: _, createdAt, expiresAt, ...rest }) => ({
        ...rest,
        createdAt: isoTime(createdAt),
        expiresAt: isoTime(expiresAt),
      })),
    }),
  )

  app.delete(
    '/enrollments/:id',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Withdraw an enrolment token',
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
        response: { 200: Type.Object({ withdrawn: Type.Boolean() }) },
      },
    },
    async request => {
      await desk.withdraw(request.params.id, actorOf(request))
      return { withdrawn: true }
    },
  )

  app.post(
    '/enroll',
    {
      config: { role: 'public', rateLimit: ENROL_LIMIT },
      schema: {
        summary: 'Spend an enrolment token for a device credential',
        body: EnrollRequest,
        response: { 200: DeviceCredential },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return await desk.enroll(request.body, urls(request.host))
    },
  )

  app.post(
    '/device/credential',
    {
      config: { role: 'device', rateLimit: ROTATE_LIMIT },
      schema: {
        summary: 'A new secret for the device that asks (Basic authentication, site~node and its secret)',
        description: 'The secret that it asks with works until the new one is used, seven days at most.',
        response: { 200: DeviceCredential },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      const basic = basicLogin(request.headers.authorization)
      const login = basic && logins.login(basic.user, basic.password)
      if (login === undefined) {
        reply.header('www-authenticate', 'Basic realm="sightline device"')
        throw fault('CREDENTIAL_REFUSED', 'no valid device credential')
      }
      return await desk.rotate(login, urls(request.host))
    },
  )

  app.get(
    '/devices',
    {
      config: { role: 'viewer', limited: true },
      schema: {
        summary: 'Enrolled devices, those that were revoked included',
        response: { 200: Type.Object({ devices: Type.Array(DeviceShape) }) },
      },
    },
    async ({ caller: { scope } }) => ({
      devices: desk
        .devices()
        .filter(device => scope.seesNode(device))
        .map(deviceView),
    }),
  )

  app.post(
    '/devices/:site/:node/revoke',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Turn a device away; its connection ends at once',
        params: Device,
        response: { 200: DeviceShape },
      },
    },
    async request => deviceView(await desk.revoke(request.params, actorOf(request))),
  )

  app.post(
    '/devices/:site/:node/rotate',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Have a device change its secret, as soon as it is connected',
        params: Device,
        response: { 200: DeviceShape },
      },
    },
    async request => deviceView(await desk.askRotation(request.params, actorOf(request))),
  )
}

function deviceView({ site, node, enrolledAt, lastUsedAt, revokedAt, rotationAskedAt }: DeviceRecord) {
  return {
    site,
    node,
    enrolledAt: isoTime(enrolledAt),
    lastUsedAt: lastUsedAt === null ? null : isoTime(lastUsedAt),
    revokedAt: revokedAt === null ? null : isoTime(revokedAt),
    rotationAskedAt: rotationAskedAt === null ? null : isoTime(rotationAskedAt),
  }
}

function isoTime(at: number): string {
  return new Date(at).toISOString()
}
