import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { People } from '../../auth/people.ts'
import { ROLES } from '../../auth/person.ts'
import type { SignedIn } from '../../auth/sessions.ts'
import { actorOf } from '../actor.ts'
import type { SessionCookie } from '../session-cookie.ts'

/** By address; each attempt costs the hub 128 MiB for some tenths of a second. */
const SIGN_IN_LIMIT = { max: 30, timeWindow: '1 minute' }
const SETUP_LIMIT = { max: 10, timeWindow: '1 minute' }

const Name = Type.String({ minLength: 1, maxLength: 64 })
const Password = Type.String({ minLength: 1, maxLength: 256 })
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])

const SessionShape = Type.Object({
  signInRequired: Type.Boolean({ description: 'False: whoever reaches the hub is its admin.' }),
  setupOpen: Type.Boolean({
    description: 'Whether there is no user yet, and a set-up link makes the first.',
  }),
  caller: nullable(
    Type.Object({
      kind: Type.Enum(['local', 'user', 'key']),
      name: nullable(Type.String({ description: 'Of the user.' })),
      role: Type.Enum([...ROLES]),
      scope: nullable(
        Type.Array(Type.String(), { description: 'What may be seen: SITE, SITE/NODE, SITE/NODE/CAMERA.' }),
      ),
    }),
  ),
})
const Done = Type.Object({ done: Type.Boolean() })

export interface SessionParts {
  readonly people: People
  readonly cookie: SessionCookie
}

export const sessionRoutes: FastifyPluginAsyncTypebox<SessionParts> = async (app, { people, cookie }) => {
  const view = () => ({ signInRequired: people.signInRequired(), setupOpen: people.setup.open })
  const signedInView = ({ user: { name, role, scope } }: SignedIn) => ({
    ...view(),
    caller: { kind: 'user' as const, name, role, scope: scope && [...scope] },
  })
  const welcome = (reply: FastifyReply, opened: SignedIn & { secret: string }) => {
    cookie.set(reply, opened.secret, people.sessions.limits.lifeMs)
    reply.header('cache-control', 'no-store')
    return signedInView(opened)
  }
  const current = (request: FastifyRequest) => {
    const secret = cookie.read(request)
    return secret === undefined ? undefined : people.sessions.resume(secret)
  }

  app.get(
    '/session',
    {
      config: { role: 'public' },
      schema: { summary: 'Who asks, as the hub sees him', response: { 200: SessionShape } },
    },
    async ({ caller: { kind, actor, role, scope } }, reply) => {
      reply.header('cache-control', 'no-store')
      if (role === null || kind === 'nobody' || kind === 'device') return { ...view(), caller: null }
      const name = kind === 'user' ? actor.slice('user:'.length) : null
      const globs = scope.globs === undefined ? null : [...scope.globs]
      return { ...view(), caller: { kind, name, role, scope: globs } }
    },
  )

  app.post(
    '/session',
    {
      config: { role: 'public', rateLimit: SIGN_IN_LIMIT },
      schema: {
        summary: 'Sign in; the answer sets a cookie',
        body: Type.Object({ name: Name, password: Password }, { additionalProperties: false }),
        response: { 200: SessionShape },
      },
    },
    async (request, reply) => {
      const { name, password } = request.body
      // What was open in this browser before is not carried over (session fixation).
      const before = current(request)
      const opened = await people.sessions.signIn(name.toLowerCase(), password, request.ip)
      if (before !== undefined) await people.sessions.end(before, { everywhere: false })
      return welcome(reply, opened)
    },
  )

  app.delete(
    '/session',
    {
      config: { role: 'public' },
      schema: {
        summary: 'Sign out',
        querystring: Type.Object(
          { everywhere: Type.Optional(Type.Boolean({ description: 'On every other device, too.' })) },
          { additionalProperties: false },
        ),
        response: { 200: Done },
      },
    },
    async (request, reply) => {
      const session = current(request)
      if (session !== undefined)
        await people.sessions.end(session, { everywhere: request.query.everywhere ?? false })
      cookie.clear(reply)
      // Thumbnails lie in the browser's cache otherwise, for whoever uses it next.
      reply.header('clear-site-data', '"cache"').header('cache-control', 'no-store')
      return { done: true }
    },
  )

  app.put(
    '/session/password',
    {
      config: { role: 'viewer', limited: true, rateLimit: SIGN_IN_LIMIT },
      schema: {
        summary: "Change one's own password; ends one's other sessions",
        body: Type.Object({ current: Password, password: Password }, { additionalProperties: false }),
        response: { 200: Done },
      },
    },
    async request => {
      const session = current(request)
      if (request.caller.kind !== 'user' || session === undefined)
        throw fault('API_FORBIDDEN', 'only who is signed in as a user has a password')
      const { user, session: kept } = session
      await people.sessions.verify(user.name, request.body.current, request.ip)
      const options = { actor: actorOf(request), keepSession: kept.hash }
      await people.users.change(user.name, { password: request.body.password }, options)
      return { done: true }
    },
  )

  app.post(
    '/setup',
    {
      config: { role: 'public', rateLimit: SETUP_LIMIT },
      schema: {
        summary: 'Make the first admin, by the link that the hub printed, and sign in',
        body: Type.Object(
          { token: Type.String({ minLength: 1, maxLength: 100 }), name: Name, password: Password },
          { additionalProperties: false },
        ),
        response: { 200: SessionShape },
      },
    },
    async ({ body: { token, ...given } }, reply) => {
      const user = await people.setup.redeem(token, { ...given, name: given.name.toLowerCase() })
      return welcome(reply, await people.sessions.open(user.name))
    },
  )
}
