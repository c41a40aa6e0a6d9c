import { OPENAI_CATEGORIES } from '@sightline/hub/moderation/moderation-view.js'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frameIdOf, PHOTOS, photo, TestHub } from './hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await TestHub.start()
})
afterAll(() => hub?.stop())

/** What a client with types generated from the OpenAI API description insists on. */
const perCategory = <T extends Parameters<typeof Type.Array>[0]>(schema: T) =>
  Type.Object(Object.fromEntries(OPENAI_CATEGORIES.map(category => [category, schema])))
const CreateModerationResponse = Type.Object({
  id: Type.String(),
  model: Type.String(),
  results: Type.Array(
    Type.Object({
      flagged: Type.Boolean(),
      categories: perCategory(Type.Boolean()),
      category_scores: perCategory(Type.Number()),
      category_applied_input_types: perCategory(Type.Array(Type.Enum(['text', 'image']))),
    }),
  ),
})

const dataUrl = async (name: string) => `data:image/jpeg;base64,${(await photo(name)).toString('base64')}`
const imagePart = async (name: string) => ({ type: 'image_url', image_url: { url: await dataUrl(name) } })
const espresso = PHOTOS[1]!
const moose = PHOTOS[0]!

describe('moderations', () => {
  it('takes the OpenAI request and answers in its shape', async () => {
    const { status, body } = await hub.post('/api/v1/moderations', {
      model: 'omni-moderation-latest',
      input: [await imagePart(espresso), await imagePart(moose)],
    })
    expect(status).toBe(200)
    expect(Value.Check(CreateModerationResponse, body)).toBe(true)
    expect(body.id).toMatch(/^modr-[0-9a-f]{32}$/)
    expect(body.model).toBe('sightline-mini')
    expect(body.results).toHaveLength(2)
    const [coffee, other] = body.results
    expect(coffee).toMatchObject({ flagged: true, decision: 'review' })
    expect(coffee.categories).toMatchObject({ objects: true, 'objects/drink': true, violence: false })
    expect(coffee.labels[0]).toMatchObject({
      name: 'objects/drink',
      parent: 'objects',
      rule_id: 'coffee-or-tea',
      rule_version: 1,
      threshold: 0.45,
      decision: 'review',
    })
    expect(coffee.labels[0].margin).toBeCloseTo(coffee.labels[0].score - 0.45, 6)
    expect(coffee.labels[0].best_positive).toEqual(expect.any(String))
    expect(other).toMatchObject({ flagged: false, decision: 'allow' })
  })

  it('judges alike by upload, base64, data URL and stored frame', async () => {
    const bytes = await photo(espresso)
    const form = new FormData()
    form.append('image', new Blob([new Uint8Array(bytes)]), 'x.jpg')
    const answers = [
      await hub.call('/api/v1/moderations', { method: 'POST', body: form }),
      await hub.post('/api/v1/moderations', { image: bytes.toString('base64') }),
      await hub.post('/api/v1/moderations', { input: await dataUrl(espresso) }),
      await hub.post('/api/v1/moderations', { input: [await imagePart(espresso)] }),
      await hub.post('/api/v1/moderations', { id: frameIdOf(2) }),
    ]
    for (const { status, body } of answers) {
      expect(status).toBe(200)
      expect(body.results[0].labels[0].rule_id).toBe('coffee-or-tea')
      expect(body.results[0].labels[0].score).toBeCloseTo(answers[0]!.body.results[0].labels[0].score, 2)
    }
  })

  it.each([
    ['nothing', {}, 400, 'API_BAD_REQUEST', /exactly one/],
    ['text', { input: 'kill them all' }, 400, 'API_BAD_REQUEST', /input\.0.*only pictures/],
    [
      'text beside a picture',
      { input: [{ type: 'text', text: 'x' }] },
      400,
      'API_BAD_REQUEST',
      /input\.0.*not text/,
    ],
    [
      'an address',
      { input: [{ type: 'image_url', image_url: { url: 'https://example.org/a.jpg' } }] },
      400,
      'API_BAD_REQUEST',
      /not fetched/,
    ],
    [
      'an address in capitals',
      { input: [{ type: 'image_url', image_url: { url: 'HTTP://10.0.0.1/a.jpg' } }] },
      400,
      'API_BAD_REQUEST',
      /not fetched/,
    ],
    ['another shape', { input: [{ type: 'audio' }] }, 400, 'API_BAD_REQUEST', /image_url parts/],
    ['an empty list', { input: [] }, 400, 'API_BAD_REQUEST', /1 to 16/],
    ['SVG', { input: 'data:image/svg+xml;base64,AAAA' }, 400, 'API_BAD_REQUEST', /only pictures/],
    ['a broken picture', { image: 'AAAA' }, 422, 'IMAGE_INVALID', /image 0/],
    ['an unknown frame', { id: 'nope' }, 404, 'API_NOT_FOUND', /nope/],
    [
      'too many pictures',
      { input: Array.from({ length: 17 }, () => 'data:image/png;base64,AAAA') },
      400,
      'API_BAD_REQUEST',
      /1 to 16/,
    ],
  ])('refuses %s', async (_what, body, status, code, message) => {
    const answer = await hub.post('/api/v1/moderations', body)
    expect([answer.status, answer.body.error.code]).toEqual([status, code])
    expect(answer.body.error.message).toMatch(message)
  })
})
