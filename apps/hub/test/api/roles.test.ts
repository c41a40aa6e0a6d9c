import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ListedRoute, ROUTE_ROLES } from '@sightline/hub/api/roles.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { runningHub } from '../support/running-hub.ts'

let routes: readonly ListedRoute[] = []
beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roles-'))
  const hub = await runningHub(dir)
  routes = hub.routes
  await hub.stop()
  await rm(dir, { recursive: true })
})

const roleOf = (method: string, url: string) =>
  routes.find(route => route.method === method && route.url === url)?.role

describe('the route table', () => {
  it('says of every route whom it is for', () => {
    expect(routes.length).toBeGreaterThan(30)
    const unsaid = routes.filter(({ role }) => role === undefined || !ROUTE_ROLES.includes(role))
    expect(unsaid).toEqual([])
  })

  it('leaves to everybody what has no secrets, and nothing else', () => {
    const open = routes.filter(({ role, method }) => role === 'public' && method !== 'HEAD')
    const named = open.filter(({ url }) => !/^\/(assets|[^/]*$)/.test(url))
    expect(named.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      'DELETE /api/v1/session',
      'GET /api/v1/session',
      'POST /api/v1/enroll',
      'POST /api/v1/session',
      'POST /api/v1/setup',
    ])
  })

  it.each([
    ['GET', '/api/v1/search', 'viewer'],
    ['HEAD', '/api/v1/search', 'viewer'],
    ['GET', '/api/v1/live', 'viewer'],
    ['PUT', '/api/v1/rules', 'operator'],
    ['POST', '/api/v1/enrollments', 'operator'],
    ['POST', '/api/v1/devices/:site/:node/revoke', 'operator'],
    ['POST', '/api/v1/device/credential', 'device'],
    ['GET', '/models/*', 'device'],
    ['GET', '/api/v1/audit', 'admin'],
    ['GET', '/api/v1/quarantine', 'admin'],
  ])('%s %s is for %s', (method, url, role) => expect(roleOf(method, url)).toBe(role))
})
