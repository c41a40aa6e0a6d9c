import { expect, test } from 'vitest'
import { ApiClient } from '../../dashboard/src/api.ts'
import { addressIn } from '../../dashboard/src/picture-url.ts'

const pasted = (text: string) => addressIn({ getData: () => text })

test('an address alone is one', () => {
  expect(pasted(' https://example.org/a.jpg?b=c\n')).toBe('https://example.org/a.jpg?b=c')
  expect(pasted('HTTP://example.org/')).toBe('HTTP://example.org/')
})

test.each([
  '',
  'a cat',
  'see https://example.org/',
  'https://example.org/ a cat',
  'ftp://example.org/',
  'http://',
  'javascript:alert(1)',
])('"%s" is none', text => expect(pasted(text)).toBeUndefined())

test('a picture comes as it is, a refusal with its code', async () => {
  const answers = [
    new Response(new Uint8Array([0xff, 0xd8]), { headers: { 'content-type': 'image/jpeg' } }),
    new Response(JSON.stringify({ error: { code: 'URL_REFUSED', message: 'inside', remedy: 'Save it.' } }), {
      status: 403,
    }),
  ]
  const sent: unknown[] = []
  const api = new ApiClient({
    fetch: async (path, init) => {
      sent.push([path, init?.body])
      return answers.shift()!
    },
  })
  expect((await api.fetchPicture('http://example.org/a.jpg')).size).toBe(2)
  expect(sent).toEqual([['/api/v1/search/picture', '{"url":"http://example.org/a.jpg"}']])
  await expect(api.fetchPicture('http://10.0.0.1/')).rejects.toMatchObject({
    code: 'URL_REFUSED',
    remedy: 'Save it.',
  })
})
