import { describe, expect, it } from 'vitest'
import { frameIdOf, PHOTOS, photo } from '../moderation/hub.ts'
import { PhotoHub } from './photo-hub.ts'

const hub = PhotoHub.forAllTests()

describe('search', () => {
  it('by words', async () => {
    const { status, body } = await hub.call('/api/v1/search?text=a%20cup%20of%20coffee&limit=2')
    expect(status).toBe(200)
    expect(body.hits).toHaveLength(2)
    expect(body.hits[0]).toMatchObject({
      id: frameIdOf(2),
      camera: 'lobby',
      node: 'n1',
      capturedAt: '2026-01-01T12:01:00.000Z',
    })
    expect(body.hits[0].similarity).toBeGreaterThan(body.hits[1].similarity)
    expect(body.model.fingerprint).toMatch(/^sightline-mini:/)
  })

  it('by an uploaded picture', async () => {
    const form = new FormData()
    form.append('limit', '1')
    form.append('image', new Blob([new Uint8Array(await photo(PHOTOS[2]!))]), 'x.jpg')
    const { status, body } = await hub.call('/api/v1/search', { method: 'POST', body: form })
    expect(body).toHaveProperty('hits')
    expect(status).toBe(200)
    expect(body.hits[0].id).toBe(frameIdOf(3))
    expect(body.hits[0].similarity).toBeGreaterThan(0.999)
  })

  it('by a picture in base64, a stored frame, a vector', async () => {
    const image = (await photo(PHOTOS[3]!)).toString('base64')
    const byImage = await hub.post('/api/v1/search', { image, limit: 1 })
    expect(byImage.body.hits[0].id).toBe(frameIdOf(4))
    const byId = await hub.post('/api/v1/search', { id: frameIdOf(1), limit: 10 })
    expect(byId.body.hits.map((hit: { id: string }) => hit.id)).not.toContain(frameIdOf(1))
    expect(byId.body.hits).toHaveLength(3)
    const encoded = await hub.post('/api/v1/encode', { texts: ['a moose'] })
    const byVector = await hub.post('/api/v1/search', { vector: encoded.body.texts[0], limit: 1 })
    expect(byVector.body.hits[0].id).toBe(frameIdOf(1))
  })

  it('within filters', async () => {
    const { body } = await hub.call('/api/v1/search?text=an%20animal&camera=lobby&from=2026-01-01T12:02:00Z')
    expect(body.hits.map((hit: { id: string }) => hit.id)).toEqual([frameIdOf(4)])
  })

  it('within a tag, which operators give and take', async () => {
    const change = (body: object) => hub.post('/api/v1/frames/tags', body)
    const frames = [frameIdOf(1), frameIdOf(3), 'default~n1~X~1']
    expect((await change({ frames, add: ['case 12', 'näher ansehen'] })).body).toEqual({ changed: 2 })
    expect((await hub.call('/api/v1/tags')).body).toEqual({
      tags: [
        { tag: 'case 12', frames: 2 },
        { tag: 'näher ansehen', frames: 2 },
      ],
    })
    const { body } = await hub.call('/api/v1/search?text=an%20animal&tag=case%2012&facets=true')
    expect(body.hits.map((hit: { id: string }) => hit.id).sort()).toEqual([frameIdOf(1), frameIdOf(3)])
    expect(body.hits[0].tags).toEqual(['case 12', 'näher ansehen'])
    expect(body.facets.tag).toContainEqual({ value: 'case 12', count: 2 })
    const listed = await hub.call('/api/v1/frames?tag=case%2012')
    expect(listed.body.frames).toHaveLength(2)
    const inBody = await hub.post('/api/v1/search', { text: 'an animal', filter: { tag: 'nothing' } })
    expect(inBody.body).toMatchObject({ hits: [], total: { value: 0, relation: 'eq' } })
    await change({ frames, remove: ['case 12', 'näher ansehen'] })
    expect((await hub.call('/api/v1/tags')).body).toEqual({ tags: [] })
    for (const tag of ['', ' case', 'case ', 'a\nb', 'x'.repeat(65)])
      expect((await change({ frames, add: [tag] })).status, JSON.stringify(tag)).toBe(400)
    const { entries } = (await hub.call('/api/v1/audit?limit=2')).body
    expect(entries).toMatchObject([
      { action: 'frames.tagged', detail: { frames: 2, removed: 'case 12, näher ansehen' } },
      { action: 'frames.tagged', detail: { frames: 2, added: 'case 12, näher ansehen' } },
    ])
  })

  it.each([
    ['nothing to look for', {}, 400, 'API_BAD_REQUEST'],
    ['two things to look for', { text: 'a', id: 'b' }, 400, 'API_BAD_REQUEST'],
    ['an unknown key', { text: 'a', colour: 'red' }, 400, 'API_BAD_REQUEST'],
    ['a limit beyond the limit', { text: 'a', limit: 100_000 }, 400, 'API_BAD_REQUEST'],
    ['a stored frame that is not there', { id: 'default~n1~X~1' }, 404, 'API_NOT_FOUND'],
    [
      'a vector of another model',
      { vector: Array.from({ length: 16 }, () => 0.25) },
      409,
      'MODEL_DIM_MISMATCH',
    ],
    ['a picture that is none', { image: Buffer.from('hello').toString('base64') }, 422, 'IMAGE_INVALID'],
  ])('answers %s with its code', async (_what, body, status, code) => {
    const answer = await hub.post('/api/v1/search', body)
    expect(answer.status).toBe(status)
    expect(answer.body.error).toMatchObject({ code, remedy: expect.any(String) })
  })

  it('refuses a body beyond the limit', async () => {
    const answer = await hub.post('/api/v1/search', { image: 'A'.repeat(5_000_000) })
    expect([answer.status, answer.body.error.code]).toEqual([413, 'API_TOO_LARGE'])
  })
})
