import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestHub } from '../moderation/hub.ts'
import { addUser, type Caller, PASSWORD, send, signIn } from './callers.ts'

const TABLE = fileURLToPath(new URL('../../../../docs/routes.md', import.meta.url))
const DENIED = ['SIGN_IN_REQUIRED', 'CREDENTIAL_REFUSED', 'API_FORBIDDEN']

/** Who may use a route of a role, besides what is public: written down here apart from the hub's own rules. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  viewer: ['viewer', 'operator', 'admin', 'key'],
  operator: ['operator', 'admin'],
  admin: ['admin'],
  device: ['device', 'operator', 'admin'],
}

let hub: TestHub
const callers: Record<string, Caller> = { anonymous: {}, stranger: { authorization: 'Bearer slk_nobody' } }

beforeAll(async () => {
  hub = await TestHub.start()
  // The first user is made while the hub still asks nobody; a viewer would lock everybody out.
  const { code } = await send(hub, {}, 'POST', '/api/v1/users', {
    name: 'viewer',
    password: PASSWORD,
    role: 'viewer',
  })
  expect(code).toBe('LAST_ADMIN')
  await addUser(hub, {}, { name: 'admin', role: 'admin' })
  callers.admin = await signIn(hub, 'admin')
  for (const name of ['viewer', 'operator']) {
    await addUser(hub, callers.admin, { name, role: name })
    callers[name] = await signIn(hub, name)
  }
  await addUser(hub, callers.admin, { name: 'limited', role: 'viewer', scope: ['default/n1/yard'] })
  callers.limited = await signIn(hub, 'limited')
  const key = await send(hub, callers.admin, 'POST', '/api/v1/keys', { name: 'grafana', role: 'viewer' })
  callers.key = { authorization: `Bearer ${JSON.parse(key.text).key}` }
  const token = await send(hub, callers.admin, 'POST', '/api/v1/enrollments', { site: 'far', node: 'n9' })
  const body = { token: JSON.parse(token.text).token, agent: '1' }
  const { secret } = JSON.parse((await send(hub, {}, 'POST', '/api/v1/enroll', body)).text)
  callers.device = { authorization: `Basic ${Buffer.from(`far~n9:${secret}`).toString('base64')}` }
})
afterAll(() => hub?.stop())

const pathOf = (url: string) => url.replace('*', 'nothing').replaceAll(/:\w+/g, '7')

describe('route x caller', () => {
  it('lets in whom the route is for, and nobody else', async () => {
    const wrong: string[] = []
    for (const { method, url, role, limited } of hub.routes) {
      if (role === 'public') continue
      for (const [name, headers] of Object.entries(callers)) {
        const body = ['POST', 'PUT'].includes(method) ? {} : undefined
        const { status, headers: answered, code } = await send(hub, headers, method, pathOf(url), body)
        // HEAD has no body to read a code from.
        const denied = method === 'HEAD' ? [401, 403].includes(status) : DENIED.includes(code ?? '')
        const may = MAY[role ?? '']?.includes(name) || (name === 'limited' && role === 'viewer' && limited)
        // Only a device has a device credential: people are let in, and then told so.
        const expected = may && !(url === '/api/v1/device/credential' && name !== 'device')
        if (denied === expected) wrong.push(`${name}: ${method} ${url} ${status} ${code}`)
        if (status === 401 && answered.get('www-authenticate') === null && !may)
          wrong.push(`${method} ${url}: no www-authenticate`)
      }
    }
    expect(wrong).toEqual([])
  })

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling of the site', { 'sec-fetch-site': 'same-site' }],
    [
      'another origin, in a browser that says no more',
      { 'sec-fetch-site': '', origin: 'https://evil.example' },
    ],
    ['nowhere, with a cookie', { 'sec-fetch-site': '' }],
  ])('changes nothing for a request from %s', async (_, change) => {
    const given = Object.entries({ ...callers.admin, ...change }).filter(([, value]) => value !== '')
    const headers = Object.fromEntries(given)
    const { code } = await send(hub, headers, 'POST', '/api/v1/devices/far/n9/rotate')
    expect(code).toBe('CROSS_SITE_REFUSED')
    expect((await send(hub, headers, 'GET', '/api/v1/users')).status).toBe(200)
    const own = { cookie: callers.admin?.cookie ?? '', origin: hub.url }
    expect((await send(hub, own, 'POST', '/api/v1/devices/far/n9/rotate')).status).toBe(200)
  })

  it('signs in with a cookie that scripts and other sites do not get, and out again', async () => {
    const body = { name: 'Viewer', password: PASSWORD }
    const { headers, body: session } = await hub.post('/api/v1/session', body)
    expect(headers.get('set-cookie')).toMatch(
      /^sightline=[\w-]{43}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/,
    )
    expect(session.caller).toEqual({ kind: 'user', name: 'viewer', role: 'viewer', scope: null })
    const cookie = headers.get('set-cookie')!.split(';')[0]!
    const caller = { cookie, 'sec-fetch-site': 'same-origin' }
    const out = await send(hub, caller, 'DELETE', '/api/v1/session')
    expect(out.headers.get('clear-site-data')).toBe('"cache"')
    expect((await send(hub, caller, 'GET', '/api/v1/frames')).code).toBe('SIGN_IN_REQUIRED')
  })

  it('lets everybody use what is public', async () => {
    for (const { method, url } of hub.routes.filter(({ role }) => role === 'public')) {
      const body = ['POST', 'PUT'].includes(method) ? {} : undefined
      const { code } = await send(hub, {}, method, pathOf(url), body)
      expect(DENIED, `${method} ${url}`).not.toContain(code)
    }
  })

  it('is written down in docs/routes.md', async () => {
    const rows = hub.routes
      .filter(({ method, url }) => method !== 'HEAD' && !/^\/(assets|[^/]*\.|\*)/.test(url) && url !== '/')
      .map(({ method, url, role, limited }) => {
        const also = role === 'viewer' && limited ? 'yes' : role === 'viewer' ? 'no' : ''
        return `| \`${method} ${url}\` | ${role} | ${also} |`
      })
      .sort()
    const page = `# Routes

Whom each route is for (docs/security.md, People). Generated by a test that also tries every route as every caller:
\`npx vitest run apps/hub/test/auth/matrix.test.ts -u\`.

| route | role, or a higher one | limited viewers, too |
| --- | --- | --- |
${rows.join('\n')}
`
    await expect(page).toMatchFileSnapshot(TABLE)
  })

  it('turns away a device that is deleted, and says who did it', async () => {
    const gone = await send(hub, callers.admin ?? {}, 'DELETE', '/api/v1/devices/far/n9')
    expect(JSON.parse(gone.text)).toMatchObject({ frames: 0, incidents: 0 })
    const rotated = await send(hub, callers.device ?? {}, 'POST', '/api/v1/device/credential')
    expect(rotated.code).toBe('CREDENTIAL_REFUSED')
    const { entries } = JSON.parse((await send(hub, callers.admin ?? {}, 'GET', '/api/v1/audit')).text)
    expect(entries[0]).toMatchObject({
      actor: 'user:admin',
      action: 'records.erased',
      subject: 'site=far node=n9',
    })
  })
})
