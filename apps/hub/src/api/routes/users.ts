import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fault } from '@sightline/core'
import { Type } from 'typebox'
import type { People } from '../../auth/people.ts'
import { MAX_SCOPE, ROLES, USER_NAME_PATTERN, type User } from '../../auth/person.ts'
import { actorOf } from '../actor.ts'

const Time = Type.String({ format: 'date-time' })
const Name = Type.String({ pattern: USER_NAME_PATTERN })
const Password = Type.String({ minLength: 1, maxLength: 256 })

export const RoleShape = Type.Enum([...ROLES])
/** Not a union with null: of that the validator makes an array with an empty text, for the array comes first. */
export const ScopeShape = Type.Unsafe<string[] | null>({
  type: 'array',
  nullable: true,
  items: { type: 'string', maxLength: 200 },
  minItems: 1,
  maxItems: MAX_SCOPE,
  description: 'Of viewers: what they see, as globs SITE, SITE/NODE or SITE/NODE/CAMERA; null: everything.',
})
const UserShape = Type.Object({
  name: Name,
  role: RoleShape,
  scope: ScopeShape,
  createdAt: Time,
  lastSignInAt: Type.Union([Time, Type.Null()]),
  disabledAt: Type.Union([Time, Type.Null()], { description: 'Since when he cannot sign in.' }),
})
const Params = Type.Object({ name: Name })

export const userRoutes: FastifyPluginAsyncTypebox<{ people: Pick<People, 'users'> }> = async (
  app,
  { people: { users } },
) => {
  app.get(
    '/users',
    {
      config: { role: 'admin' },
      schema: { summary: 'Users', response: { 200: Type.Object({ users: Type.Array(UserShape) }) } },
    },
    async () => ({ users: users.list().map(userView) }),
  )

  app.post(
    '/users',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Add a user',
        description: 'The first user ends the time when whoever reached the hub on loopback was its admin.',
        body: Type.Object(
          { name: Name, password: Password, role: RoleShape, scope: Type.Optional(ScopeShape) },
          { additionalProperties: false },
        ),
        response: { 201: UserShape },
      },
    },
    async (request, reply) => {
      const { scope = null, ...given } = request.body
      // From then on everybody signs in: whoever did this could not go on otherwise.
      if (given.role !== 'admin' && users.list().length === 0)
        throw fault('LAST_ADMIN', 'the first user must be an admin')
      reply.status(201)
      return userView(await users.add({ ...given, scope }, { actor: actorOf(request) }))
    },
  )

  app.put(
    '/users/:name',
    {
      config: { role: 'admin' },
      schema: {
        summary: "Change a user's role, scope or password, or keep him out; a new password ends his sessions",
        params: Params,
        body: Type.Object(
          {
            password: Type.Optional(Password),
            role: Type.Optional(RoleShape),
            scope: Type.Optional(ScopeShape),
            disabled: Type.Optional(
              Type.Boolean({ description: 'True: he cannot sign in, and his sessions end.' }),
            ),
          },
          { additionalProperties: false, minProperties: 1 },
        ),
        response: { 200: UserShape },
      },
    },
    async request =>
      userView(await users.change(request.params.name, request.body, { actor: actorOf(request) })),
  )

  app.delete(
    '/users/:name',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Remove a user; his sessions end',
        params: Params,
        response: { 200: Type.Object({ removed: Type.Boolean() }) },
      },
    },
    async request => {
      await users.remove(request.params.name, actorOf(request))
      return { removed: true }
    },
  )
}

function userView({ name, role, scope, createdAt, lastSignInAt, disabledAt = null }: User) {
  return {
    name,
    role,
    scope: scope && [...scope],
    createdAt: new Date(createdAt).toISOString(),
    lastSignInAt: lastSignInAt === null ? null : new Date(lastSignInAt).toISOString(),
    disabledAt: disabledAt === null ? null : new Date(disabledAt).toISOString(),
  }
}
