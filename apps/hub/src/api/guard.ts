import fastifyCookie from '@fastify/cookie'
import { fault } from '@sightline/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Caller, localCaller, NOBODY } from '../auth/caller.ts'
import type { People } from '../auth/people.ts'
import type { Grant, Role } from '../auth/person.ts'
import { Scope } from '../auth/scope.ts'
import type { DeviceLogins } from '../fleet/device-logins.ts'
import { basicLogin } from './basic-login.ts'
import type { RouteRole } from './roles.ts'
import { checkSameOrigin } from './same-origin.ts'
import type { SessionCookie } from './session-cookie.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route runs. */
    caller: Caller
  }
}

const RANK: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 }

export interface GuardOptions {
  readonly people: Pick<People, 'users' | 'sessions' | 'keys' | 'signInRequired'>
  readonly logins: Pick<DeviceLogins, 'login' | 'holds'>
  readonly cookie: SessionCookie
}

/** One hook before every route: finds out who asks, and whether the route is for him. */
export async function installGuard(app: FastifyInstance, options: GuardOptions): Promise<void> {
  await app.register(fastifyCookie)
  app.decorateRequest('caller', null as never)
  app.addHook('onRequest', async (request, reply) => {
    const { authorization } = request.headers
    const cookie = authorization === undefined ? options.cookie.read(request) : undefined
    if (authorization === undefined) checkSameOrigin(request, cookie !== undefined)
    request.caller = callerOf(options, authorization, cookie)
    // Whoever asks for what is not there is told so; nothing runs.
    if (!request.is404) admit(request, reply)
  })
}

/** @throws SIGN_IN_REQUIRED, API_FORBIDDEN, CREDENTIAL_REFUSED */
function admit({ caller, routeOptions }: FastifyRequest, reply: FastifyReply): void {
  const { role, limited = false } = routeOptions.config
  if (role === 'public') return
  if (caller.kind === 'nobody') {
    reply.header('www-authenticate', role === 'device' ? 'Basic realm="sightline device"' : 'Bearer')
    if (role === 'device') throw fault('CREDENTIAL_REFUSED', 'no valid device credential')
    throw fault('SIGN_IN_REQUIRED', 'this needs a sign-in or an API key')
  }
  if (!mayUse(caller, role)) throw fault('API_FORBIDDEN', `this needs the role ${role ?? 'of nobody'}`)
  if (caller.scope.limited && !limited && caller.kind !== 'device')
    throw fault('API_FORBIDDEN', 'this is not for viewers who are limited to some sites or cameras')
}

function mayUse({ kind, role }: Caller, wanted: RouteRole | undefined): boolean {
  // A route that does not say whom it is for is for nobody.
  if (wanted === undefined) return false
  if (wanted === 'public') return true
  if (kind === 'device') return wanted === 'device'
  return role !== null && RANK[role] >= (wanted === 'device' ? RANK.operator : RANK[wanted])
}

function callerOf(
  { people, logins }: GuardOptions,
  authorization: string | undefined,
  cookie: string | undefined,
): Caller {
  if (authorization === undefined) {
    if (!people.signInRequired()) return localCaller(() => !people.signInRequired())
    const signedIn = cookie === undefined ? undefined : people.sessions.resume(cookie)
    if (signedIn === undefined) return NOBODY
    const { user, session } = signedIn
    return granted('user', `user:${user.name}`, user, {
      holds: () => people.sessions.holds(session.hash) && sameGrant(user, people.users.get(user.name)),
    })
  }
  const bearer = /^bearer (\S{1,200})$/i.exec(authorization)?.[1]
  if (bearer !== undefined) {
    const key = people.keys.find(bearer)
    return key === undefined
      ? NOBODY
      : granted('key', `key:${key.id}`, key, { holds: () => people.keys.holds(key.hash) })
  }
  const basic = basicLogin(authorization)
  const device = basic && logins.login(basic.user, basic.password)
  if (device === undefined) return NOBODY
  const { site, node } = device
  return {
    actor: `device:${site}/${node}`,
    kind: 'device',
    role: null,
    scope: new Scope([]),
    holds: () => logins.holds(device),
  }
}

function granted(
  kind: 'user' | 'key',
  actor: string,
  { role, scope }: Grant,
  { holds }: Pick<Caller, 'holds'>,
): Caller {
  return { actor, kind, role, scope: new Scope(scope ?? undefined), holds }
}

function sameGrant(before: Grant, now: Grant | undefined): boolean {
  return now?.role === before.role && String(now.scope) === String(before.scope)
}
