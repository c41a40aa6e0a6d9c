import { describe, expect, test } from 'vitest'
import { ApiClient, type Fetch } from '../../dashboard/src/api.ts'
import { ApiError, failureOf } from '../../dashboard/src/api-error.ts'

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const client = (fetch: Fetch) => new ApiClient({ fetch })
const failure = (fetch: Fetch) =>
  client(fetch)
    .nodes()
    .then(
      () => expect.fail('should have failed'),
      (error: ApiError) => error,
    )

describe('failures', () => {
  test("carry the hub's code, message and remedy", async () => {
    const error = { code: 'RULES_CONFLICT', message: 'at version 8', remedy: 'Read again.' }
    const failed = await failure(async () => json({ error }, 409))
    expect(failed).toBeInstanceOf(ApiError)
    expect(failed).toMatchObject({ ...error, status: 409, offline: false })
  })

  test('an answer that is not the hub speaking still has a code and a remedy', async () => {
    const failed = await failure(async () => new Response('<html>Bad gateway</html>', { status: 502 }))
    expect(failed).toMatchObject({ code: 'HTTP_502', status: 502 })
    expect(failed.remedy).not.toBe('')
    expect(failureOf(500, { error: 'text' })).toMatchObject({ code: 'HTTP_500' })
    // A success without JSON is a failure too: a captive portal answers 200.
    expect(await failure(async () => new Response('<html>'))).toMatchObject({ code: 'HTTP_200' })
  })

  test('no answer is offline; an abandoned request is neither', async () => {
    expect(await failure(() => Promise.reject(new TypeError('network')))).toMatchObject({
      code: 'OFFLINE',
      offline: true,
    })
    const aborter = new AbortController()
    aborter.abort()
    const aborted: Fetch = (_input, init) => Promise.reject(init?.signal?.reason)
    await expect(client(aborted).nodes(aborter.signal)).rejects.toMatchObject({ name: 'AbortError' })
    // Given up because nothing came: a network that swallows requests is none.
    const late = AbortSignal.abort(new DOMException('too late', 'TimeoutError'))
    await expect(client(aborted).nodes(late)).rejects.toMatchObject({ code: 'OFFLINE', offline: true })
  })

  test('a review does not wait for an answer for ever', async () => {
    const signals: (AbortSignal | null | undefined)[] = []
    const api = client(async (_input, init) => {
      signals.push(init?.signal)
      return json({})
    })
    await api.review('a', { verdict: 'confirm' })
    await api.undoReview('a')
    expect(signals).toEqual([expect.any(AbortSignal), expect.any(AbortSignal)])
  })

  test('every request hears of it when the session has ended', async () => {
    const api = client(async () => json({ error: { code: 'SIGN_IN_REQUIRED', message: 'sign in' } }, 401))
    let heard = 0
    api.onSignInRequired = () => heard++
    const asked = [api.nodes(), api.metrics(), api.fetchPicture('http://x/y.jpg')]
    for (const each of asked) await expect(each).rejects.toMatchObject({ code: 'SIGN_IN_REQUIRED' })
    expect(heard).toBe(asked.length)
  })
})

test('a picture that is searched for from now on goes as JSON', async () => {
  const bodies: unknown[] = []
  const api = client(async (_input, init) => {
    bodies.push(JSON.parse(String(init?.body)))
    return json({ suggestions: [] })
  })
  const question = { image: new Blob([new Uint8Array([0xff, 0xd8, 0])]), filter: { site: 's' } }
  await api.searchThresholds(question)
  await api.saveSearch({ ...question, name: 'n' })
  expect(bodies).toEqual([
    { image: '/9gA', filter: { site: 's' } },
    { image: '/9gA', filter: { site: 's' }, name: 'n' },
  ])
})

describe('search', () => {
  const calls: { input: string; init: RequestInit | undefined }[] = []
  const api = client(async (input, init) => {
    calls.push({ input, init })
    return json({ hits: [], tookMs: 1, model: { name: 'm', fingerprint: 'f' } })
  })
  const ask = async (subject: Parameters<ApiClient['search']>[0]['subject']) => {
    await api.search({ subject, limit: 24, filter: { camera: 'yard' } })
    return calls.at(-1)!
  }

  test('words go into the address', async () => {
    expect((await ask({ text: 'cats & dogs' })).input).toBe(
      '/api/v1/search?text=cats+%26+dogs&limit=24&camera=yard',
    )
  })

  test('a stored frame goes as JSON', async () => {
    const { init } = await ask({ id: 'home~n~S~1' })
    expect(JSON.parse(String(init?.body))).toEqual({
      id: 'home~n~S~1',
      limit: 24,
      filter: { camera: 'yard' },
    })
  })

  test('words with minus-terms go as JSON', async () => {
    await api.search({ subject: { text: 'a beach' }, negatives: ['people'], limit: 24, filter: {} })
    expect(JSON.parse(String(calls.at(-1)?.init?.body))).toEqual({
      text: 'a beach',
      negatives: [{ text: 'people' }],
      limit: 24,
      filter: {},
    })
  })

  test('a picture goes as a form', async () => {
    const { init } = await ask({ image: new Blob(['x'], { type: 'image/jpeg' }) })
    const form = init?.body as FormData
    expect([...form.keys()]).toEqual(['limit', 'camera', 'image'])
  })

  test('a picture with minus-terms goes as JSON: a form holds no lists', async () => {
    const image = new Blob([new Uint8Array([0xff, 0xd8, 0])], { type: 'image/jpeg' })
    await api.search({ subject: { image }, negatives: ['people'], limit: 24, filter: {} })
    expect(JSON.parse(String(calls.at(-1)?.init?.body))).toMatchObject({
      image: '/9gA',
      negatives: [{ text: 'people' }],
    })
  })
})
