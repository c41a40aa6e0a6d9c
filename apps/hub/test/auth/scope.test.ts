import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../../../test/support/api.ts'
import { frameIdOf, photo, TestHub } from '../moderation/hub.ts'
import { addUser, type Caller, PASSWORD, send, signIn } from './callers.ts'

const HIDDEN = frameIdOf(2)
const SEEN = frameIdOf(1)
const FOREIGN = '01JD0000000000000000000002'

/** A name of a camera, alone or in an id; a prompt may speak of a harbour. */
const NAMED = /"(?:[^"]*[/~])?(?:lobby|harbour)(?:[/~][^"]*)?"/

let hub: TestHub
let admin: Caller
let limited: Caller

/** A viewer of the yard alone; frames of the lobby and the harbour lie beside it. */
beforeAll(async () => {
  hub = await TestHub.start()
  await hub.sendIncident({ incident: '01JD0000000000000000000001', camera: 'yard', bestFrame: 1 })
  await hub.sendIncident({ incident: FOREIGN, camera: 'lobby', bestFrame: 2 })
  await hub.sendState({
    v: 1,
    online: true,
    session: '01JD0000000000000000000000',
    at: Date.UTC(2026, 0, 1, 12),
    agent: '1.0.0',
    provider: 'cpu',
    fingerprint: 'a:000000000000',
    rulesVersion: 1,
    rulesGroup: 'default',
    configVersion: 0,
    cameras: ['yard', 'lobby'].map(camera => ({ camera, status: 'running' as const, lastFrameAt: null })),
  })
  const { body } = await hub.call('/api/v1/rules')
  for (const [id, cameras] of Object.entries({ inside: ['lobby'], both: ['lobby', 'yard'] }))
    await hub.post('/api/v1/rules', { ...body.rules[0], id, cameras })
  await addUser(hub, {}, { name: 'admin', role: 'admin' })
  admin = await signIn(hub, 'admin')
  await addUser(hub, admin, { name: 'gardener', role: 'viewer', scope: ['default/*/yard'] })
  limited = await signIn(hub, 'gardener')
})
afterAll(() => hub?.stop())

const read = async (caller: Caller, path: string) => JSON.parse((await send(hub, caller, 'GET', path)).text)

describe('a limited viewer', () => {
  it('reads nothing of other cameras on any route', async () => {
    const leaks: string[] = []
    let walked = 0
    for (const { method, url, role, limited: open } of hub.routes) {
      if (role !== 'viewer' || !open || method !== 'GET' || url.endsWith('/live')) continue
      for (const id of [HIDDEN, FOREIGN]) {
        const path = url.replace(':id', id).replace(/\/search$/, '/search?text=a%20cat')
        const { status, text } = await send(hub, limited, 'GET', path)
        walked++
        if (url.includes(':id')) expect(status, path).toBe(404)
        // The answer to an unknown id repeats the id.
        const said = text.replaceAll(id, '')
        if (NAMED.test(said) || (!url.includes(':id') && said.includes(HIDDEN))) leaks.push(path)
      }
    }
    expect(walked).toBeGreaterThan(10)
    expect(leaks).toEqual([])
  })

  it('still sees its own', async () => {
    const frames = await read(limited, '/api/v1/frames')
    expect(frames.frames.map(({ camera }: { camera: string }) => camera)).toEqual(['yard', 'yard'])
    expect((await read(admin, '/api/v1/frames')).frames).toHaveLength(4)
    const { hits } = await read(limited, '/api/v1/search?text=a%20puppy&limit=50')
    expect(hits).toHaveLength(2)
    const { events } = await read(limited, '/api/v1/events')
    expect(events).toHaveLength(1)
    expect((await read(limited, '/api/v1/review')).waiting).toBe(1)
    const { rules } = await read(limited, '/api/v1/rules')
    const camerasOf = (wanted: string) => rules.find(({ id }: { id: string }) => id === wanted)?.cameras
    expect([camerasOf('inside'), camerasOf('both')]).toEqual([undefined, ['yard']])
    expect((await read(limited, '/api/v1/rules/both')).rule.cameras).toEqual(['yard'])
    expect((await send(hub, limited, 'GET', '/api/v1/rules/inside')).code).toBe('API_NOT_FOUND')
    const file = await send(hub, limited, 'GET', '/api/v1/rules/both?format=yaml')
    expect(file.text).toContain('yard')
    expect(file.text).not.toContain('lobby')
    const { nodes } = await read(limited, '/api/v1/nodes')
    expect(nodes[0].cameras.map(({ camera }: { camera: string }) => camera)).toEqual(['yard'])
    expect((await send(hub, limited, 'GET', `/api/v1/frames/${SEEN}/thumbnail`)).status).toBe(200)
  })

  it('cannot ask for other cameras by filter, or for what is like their frames', async () => {
    const asked = await read(limited, '/api/v1/frames?camera=lobby')
    expect(asked.frames).toEqual([])
    const like = await send(hub, limited, 'POST', '/api/v1/search', { id: HIDDEN })
    expect(like.code).toBe('API_NOT_FOUND')
    const own = await send(hub, limited, 'POST', '/api/v1/search', { id: SEEN, limit: 50 })
    expect(JSON.parse(own.text).hits).toHaveLength(1)
    const filtered = await send(hub, limited, 'POST', '/api/v1/search', {
      text: 'coffee',
      filter: { camera: 'lobby' },
    })
    expect(JSON.parse(filtered.text).hits).toEqual([])
  })

  it('saves searches of its own, which catch and show no more than it may see', async () => {
    const save = async (by: Caller, name: string) => {
      const { status, text } = await send(hub, by, 'POST', '/api/v1/searches', {
        name,
        text: 'anything',
        threshold: -1,
      })
      expect(status).toBe(201)
      return JSON.parse(text)
    }
    const [own, foreign] = [await save(limited, 'of the yard'), await save(admin, 'of everything')]
    expect(own).toMatchObject({ owner: 'user:gardener', filter: {} })
    const image = (await photo('yard/07-puppy')).toString('base64')
    for (const camera of ['yard', 'lobby'])
      await send(hub, admin, 'POST', `/api/v1/index?site=default&node=brought&camera=${camera}`, [{ image }])
    const hitsOf = async (by: Caller, id: string) =>
      (await read(by, `/api/v1/searches/${id}/hits`)).hits?.length as number | undefined
    await eventually('hits kept', async () => ((await hitsOf(admin, foreign.id)) === 2 ? true : undefined))
    expect(await hitsOf(limited, own.id)).toBe(1)
    expect((await read(limited, '/api/v1/searches')).searches.map(({ id }: { id: string }) => id)).toEqual([
      own.id,
    ])
    const codeOf = async (by: Caller, method: string, id: string) =>
      (await send(hub, by, method, `/api/v1/searches/${id}`)).code
    expect(await codeOf(limited, 'GET', foreign.id)).toBe('API_NOT_FOUND')
    expect(await codeOf(limited, 'DELETE', foreign.id)).toBe('API_NOT_FOUND')
    // Whoever sees everything looks on; only operators change what is another's.
    await addUser(hub, admin, { name: 'looker', role: 'viewer' })
    const looker = await signIn(hub, 'looker')
    expect((await read(looker, '/api/v1/searches')).searches).toHaveLength(2)
    expect(await codeOf(looker, 'DELETE', own.id)).toBe('API_FORBIDDEN')
    // An operator who rewrites it does not make it see more.
    await send(hub, admin, 'PUT', `/api/v1/searches/${own.id}`, {
      name: 'of the yard',
      text: 'a dog',
      threshold: -1,
    })
    await send(hub, admin, 'POST', '/api/v1/index?site=default&node=brought&camera=lobby', [{ image }])
    await eventually('hits kept', async () => ((await hitsOf(admin, foreign.id)) === 3 ? true : undefined))
    expect(await hitsOf(admin, own.id)).toBe(1)
    // Whoever sees less from now on sees less of what was caught before.
    await send(hub, admin, 'PUT', '/api/v1/users/gardener', { scope: ['nowhere'] })
    expect(await hitsOf(limited, own.id)).toBe(0)
    await send(hub, admin, 'PUT', '/api/v1/users/gardener', { scope: ['default/*/yard'] })
    expect(await codeOf(limited, 'DELETE', own.id)).toBeUndefined()
  })

  it('is limited no more when its scope is null, and stays limited with an empty one', async () => {
    await addUser(hub, admin, { name: 'guest', role: 'viewer', scope: ['nowhere'] })
    const change = async (scope: unknown) => {
      const { status, text } = await send(hub, admin, 'PUT', '/api/v1/users/guest', { scope })
      return status === 200 ? JSON.parse(text).scope : status
    }
    expect(await change([''])).toBe(400)
    expect(await change([])).toBe(400)
    expect(await change(null)).toBeNull()
    const named = { password: PASSWORD, role: 'operator', scope: null }
    expect((await send(hub, admin, 'POST', '/api/v1/users', { name: 'op', ...named })).status).toBe(201)
  })

  it('hears of its own cameras alone', async () => {
    const gone = new AbortController()
    const response = await fetch(`${hub.url}/api/v1/live`, { headers: limited, signal: gone.signal })
    await hub.sendIncident({ incident: '01JD0000000000000000000003', camera: 'lobby', bestFrame: 2 })
    await hub.sendIncident({ incident: '01JD0000000000000000000004', camera: 'yard', bestFrame: 1 })
    let text = ''
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      if (text.includes('01JD0000000000000000000004')) break
    }
    gone.abort()
    expect(text).not.toMatch(/lobby|01JD0000000000000000000003/)
  })
})
