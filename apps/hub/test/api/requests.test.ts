import { Readable } from 'node:stream'
import { ERRORS } from '@sightline/core'
import { ROUTE_ROLES } from '@sightline/hub/api/roles.js'
import { describe, expect, it } from 'vitest'
import { PHOTOS, photo } from '../moderation/hub.ts'
import { PhotoHub } from './photo-hub.ts'

const hub = PhotoHub.forAllTests()

describe('a time that nobody can read', () => {
  // RFC 3339 knows leap seconds, and the usual check lets zones of hours alone pass; `Date.parse` reads neither.
  it.each(['2016-12-31T23:59:60Z', '2026-01-01T12:00:00+01', '2026-02-30T00:00:00Z', 'yesterday'])(
    '%s is refused wherever one is taken',
    async time => {
      const vector = Array.from({ length: 512 }, () => 1)
      const at = encodeURIComponent(time)
      const answers = [
        await hub.call(`/api/v1/search?text=a&from=${at}`),
        await hub.call(`/api/v1/frames?to=${at}`),
        await hub.call(`/api/v1/frames?site=default&from=${at}`, { method: 'DELETE' }),
        await hub.post('/api/v1/search', { text: 'a', filter: { to: time } }),
        await hub.post('/api/v1/index?site=s&camera=c', [{ vector, capturedAt: time }]),
      ]
      for (const { status, body } of answers) {
        expect([status, body.error.code]).toEqual([400, 'API_BAD_REQUEST'])
        expect(body.error.message).toContain('date-time')
      }
    },
  )

  it('is none that the store holds: before 1970 there was nothing', async () => {
    const vector = Array.from({ length: 512 }, () => 1)
    const old = [{ vector }, { vector, capturedAt: '1969-12-31T23:59:59Z' }]
    const { status, body } = await hub.post('/api/v1/index?site=s&camera=c', old)
    expect([status, body.error.message]).toEqual([400, 'item 1: captured before 1970'])
    expect((await hub.call('/api/v1/frames?site=s')).body.frames).toEqual([])
  })

  it.each(['2026-01-01T12:00:00z', '2026-01-01T13:00:00.123456+01:00'])('%s can be', async time => {
    const { status } = await hub.call(`/api/v1/search?text=a&from=${encodeURIComponent(time)}`)
    expect(status).toBe(200)
  })
})

describe('a body of no type that is taken', () => {
  const routes = ['search', 'index?site=a&camera=b', 'moderations']
  it.each(routes)('is refused by /%s, and so is none', async route => {
    const send = (init: object) => hub.call(`/api/v1/${route}`, { method: 'POST', ...init })
    const bodies = [
      {},
      { body: 'a dog', headers: { 'content-type': 'text/plain' } },
      { body: Readable.toWeb(Readable.from(['a dog'])), duplex: 'half' },
    ]
    for (const body of bodies) {
      const answer = await send(body)
      expect([answer.status, answer.body.error.code]).toEqual([400, 'API_BAD_REQUEST'])
    }
  })

  it('is refused by what takes no forms', async () => {
    const form = new FormData()
    form.append('image', new Blob([new Uint8Array(await photo(PHOTOS[0]!))]), 'x.jpg')
    const { status, body } = await hub.call('/api/v1/index?site=a&camera=b', { method: 'POST', body: form })
    expect(status).toBe(400)
    expect(body.error.message).toBe('send a body of the type application/json or application/x-ndjson')
  })
})

it.each([null, '0.5', true])(
  'a vector that holds %j is refused: nothing is turned into a number',
  async item => {
    const vector = [item, ...Array.from({ length: 511 }, () => 1)]
    const answers = [
      await hub.post('/api/v1/search', { vector }),
      await hub.post('/api/v1/search', { text: 'a', negatives: [{ vector }] }),
      await hub.post('/api/v1/index?site=s&camera=c', [{ vector }]),
    ]
    for (const { status, body } of answers) {
      expect([status, body.error.code]).toEqual([400, 'API_BAD_REQUEST'])
      expect(body.error.message).toContain('vector must hold numbers alone')
    }
  },
)

it('a form whose picture is no file is refused', async () => {
  const file = new Blob([new Uint8Array(await photo(PHOTOS[0]!))])
  for (const parts of [['words'], [file, 'words']]) {
    const form = new FormData()
    for (const part of parts) form.append('image', part)
    const { status, body } = await hub.call('/api/v1/search', { method: 'POST', body: form })
    expect([status, body.error.message]).toEqual([400, 'image must be one file'])
  }
})

it('what is wrong is named', async () => {
  const message = async (path: string) => (await hub.call(`/api/v1/${path}`)).body.error.message
  expect(await message('search?text=a&colour=red')).toContain('colour')
  expect(await message('search?text=a&groupBy=week')).toContain('camera, incident, minute, hour, day')
})

describe('the OpenAPI document', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a document is walked here, not used.
  const documented = async (): Promise<any> => (await hub.call('/api/v1/openapi.json')).body
  const operations = async () => {
    const { paths } = await documented()
    return Object.entries(paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    )
  }
  interface Operation {
    readonly summary?: string
    readonly security?: readonly object[]
    readonly 'x-role'?: string
    readonly responses: Record<string, { $ref?: string; description?: string; content?: object }>
  }

  it('says of every route what it does, who may ask, what comes back and what a failure looks like', async () => {
    for (const { name, summary, security, responses, ...operation } of await operations()) {
      expect(summary, name).toMatch(/\S/)
      expect(ROUTE_ROLES, name).toContain(operation['x-role'])
      expect(security, name).toBeInstanceOf(Array)
      const [done] = Object.entries(responses).filter(([status]) => status.startsWith('2'))
      if (done?.[0] !== '204') expect(done?.[1].content, name).toBeDefined()
      expect(responses.default, name).toMatchObject({
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      })
    }
    const { components } = await documented()
    expect(components.schemas.Error.properties.error.properties.code.enum).toEqual(Object.keys(ERRORS))
  })

  it('is of the version whose schemas these are', async () => {
    const { openapi, paths } = await documented()
    expect(openapi).toBe('3.1.0')
    const faults: string[] = []
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      // A list of schemas, one for each place, is `prefixItems` since draft 2020-12.
      if ('items' in value && Array.isArray(value.items)) faults.push(path)
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}/${key}`)
    }
    walk(paths, '')
    expect(faults).toEqual([])
    const form = paths['/api/v1/search'].post.requestBody.content['multipart/form-data'].schema
    expect(form.properties.image).toMatchObject({ type: 'string', format: 'binary' })
    const { thumbnail, live } = {
      thumbnail: paths['/api/v1/frames/{id}/thumbnail'].get.responses[200].content,
      live: paths['/api/v1/live'].get.responses[200].content,
    }
    expect([Object.keys(thumbnail), Object.keys(live)]).toEqual([['image/jpeg'], ['text/event-stream']])
  })
})
