import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PictureFetcher, type Resolve } from '@sightline/hub/fetch/picture-fetcher.js'
import type { SearchByUrlSettings } from '@sightline/hub/fetch/settings.js'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

/** 127.0.0.1 stands for the public internet, 127.0.0.2 and the like for what must not be reached. */
const SETTINGS: SearchByUrlSettings = {
  enabled: true,
  allow: ['127.0.0.1/32'],
  maxBytes: 20_000,
  timeoutSeconds: 2,
}

let servers: Server[]
let port: number
let picture: Buffer
/** Every request that reached a server: `address path`. */
let reached: string[]
let asked: string[]
let addresses: Record<string, string[]>
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeAll(async () => {
  picture = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#123' } })
    .jpeg()
    .toBuffer()
  const listen = async (host: string, at: number) => {
    const server = createServer((request, response) => {
      reached.push(`${request.socket.localAddress} ${request.headers.host} ${request.url}`)
      answer(request, response)
    })
    server.listen(at, host)
    await once(server, 'listening')
    return server
  }
  const outside = await listen('127.0.0.1', 0)
  port = (outside.address() as AddressInfo).port
  servers = [outside, await listen('127.0.0.2', port)]
})
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})
beforeEach(() => {
  reached = []
  asked = []
  addresses = { 'cam.example': ['127.0.0.1'] }
  answer = (_request, response) => void response.setHeader('content-type', 'image/jpeg').end(picture)
})

const resolve: Resolve = async hostname => {
  asked.push(hostname)
  return (addresses[hostname] ?? []).map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
}
const fetcher = (change: Partial<SearchByUrlSettings> = {}) =>
  new PictureFetcher({ settings: { ...SETTINGS, ...change }, resolve })
const refusal = (url: string, change?: Partial<SearchByUrlSettings>) =>
  fetcher(change)
    .fetch(url)
    .then(
      () => 'fetched',
      error => error.code,
    )
const redirect = (location: string) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(302, { location }).end()

it('fetches a picture of a public address', async () => {
  expect(await fetcher().fetch(`http://cam.example:${port}/a.jpg?b=c`)).toEqual(picture)
  expect(reached).toEqual([`127.0.0.1 cam.example:${port} /a.jpg?b=c`])
})

it('does nothing when it is off', async () => {
  expect(await refusal(`http://cam.example:${port}/`, { enabled: false })).toBe('URL_SEARCH_OFF')
  expect([asked, reached]).toEqual([[], []])
})

describe('what is not public is never connected to', () => {
  it.each([
    'http://127.0.0.2:PORT/',
    'http://127.2:PORT/',
    'http://0x7f000002:PORT/',
    'http://2130706434:PORT/',
    'http://[::1]:PORT/',
    'http://[::ffff:127.0.0.2]:PORT/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'http://0.0.0.0:PORT/',
  ])('as %s', async url => {
    expect(await refusal(url.replace('PORT', String(port)))).toBe('URL_REFUSED')
    expect([asked, reached]).toEqual([[], []])
  })

  it('by a name', async () => {
    addresses = { 'inside.example': ['127.0.0.2'], 'six.example': ['fd00::1'] }
    expect(await refusal(`http://inside.example:${port}/`)).toBe('URL_REFUSED')
    expect(await refusal(`http://six.example:${port}/`)).toBe('URL_REFUSED')
    expect(reached).toEqual([])
  })

  it('by a name that also leads to a public address', async () => {
    addresses = { 'both.example': ['127.0.0.1', '127.0.0.2'] }
    expect(await refusal(`http://both.example:${port}/`)).toBe('URL_REFUSED')
    expect(reached).toEqual([])
  })

  it('by a name that leads elsewhere the second time (DNS rebinding)', async () => {
    const turns = [['127.0.0.1'], ['127.0.0.2']]
    const rebinding = new PictureFetcher({
      settings: SETTINGS,
      resolve: async hostname => {
        asked.push(hostname)
        return turns.shift()!.map(address => ({ address, family: 4 }))
      },
    })
    expect(await rebinding.fetch(`http://rebind.example:${port}/`)).toEqual(picture)
    expect(asked).toEqual(['rebind.example'])
    expect(reached).toEqual([`127.0.0.1 rebind.example:${port} /`])
    // And when it is asked anew, it is looked at anew.
    await expect(rebinding.fetch(`http://rebind.example:${port}/`)).rejects.toMatchObject({
      code: 'URL_REFUSED',
    })
    expect(reached).toHaveLength(1)
  })

  it('by a redirect, to an address or a name, at whatever hop', async () => {
    addresses['inside.example'] = ['127.0.0.2']
    for (const target of [`http://127.0.0.2:${port}/`, `http://inside.example:${port}/`, '//127.0.0.2/']) {
      answer = redirect(target)
      expect(await refusal(`http://cam.example:${port}/`)).toBe('URL_REFUSED')
    }
    answer = (request, response) =>
      redirect(request.url === '/2' ? `http://127.0.0.2:${port}/` : '/2')(request, response)
    expect(await refusal(`http://cam.example:${port}/1`)).toBe('URL_REFUSED')
    expect(reached.some(line => line.startsWith('127.0.0.2'))).toBe(false)
  })
})

describe('redirects', () => {
  it('are followed three times, each resolved anew', async () => {
    addresses['other.example'] = ['127.0.0.1']
    answer = (request, response) => {
      const at = Number(request.url!.slice(1))
      if (at === 3) response.setHeader('content-type', 'image/jpeg').end(picture)
      else redirect(at === 0 ? `http://other.example:${port}/1` : `/${at + 1}`)(request, response)
    }
    expect(await fetcher().fetch(`http://cam.example:${port}/0`)).toEqual(picture)
    expect(asked).toEqual(['cam.example', 'other.example', 'other.example', 'other.example'])
    expect(await refusal(`http://cam.example:${port}/-1`)).toBe('URL_REFUSED')
  })

  it('in a circle, to another scheme or without a target end', async () => {
    for (const [location, code] of [
      ['/', 'URL_REFUSED'],
      ['file:///etc/passwd', 'URL_REFUSED'],
      ['http://user:secret@cam.example/', 'URL_REFUSED'],
      ['http://', 'URL_REFUSED'],
    ] as const) {
      answer = redirect(location)
      expect(await refusal(`http://cam.example:${port}/`)).toBe(code)
    }
    answer = (_request, response) => void response.writeHead(302).end()
    expect(await refusal(`http://cam.example:${port}/`)).toBe('URL_UNREACHABLE')
  })
})

describe('refused is', () => {
  it.each([
    ['another scheme', 'file:///etc/passwd'],
    ['another scheme', 'ftp://cam.example/a.jpg'],
    ['another scheme', 'gopher://cam.example/'],
    ['data', 'data:image/jpeg;base64,AAAA'],
    ['a user name', 'http://user@cam.example/'],
    ['the port of another service', 'http://cam.example:25/'],
    ['nothing', 'a picture'],
    ['what is too long', `http://cam.example/${'a'.repeat(2048)}`],
  ])('%s', async (_, url) => {
    expect(await refusal(url)).toBe('URL_REFUSED')
    expect(asked).toEqual([])
  })
})

describe('it ends', () => {
  const url = () => `http://cam.example:${port}/`
  it.each([
    ['a page', (response: ServerResponse) => response.setHeader('content-type', 'text/html').end('<img>')],
    ['SVG', (response: ServerResponse) => response.setHeader('content-type', 'image/svg+xml').end('<svg>')],
    ['no type', (response: ServerResponse) => response.end(picture)],
    [
      'what is compressed unasked',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'image/jpeg', 'content-encoding': 'gzip' }).end(picture),
    ],
    [
      'what says that it is large',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': 20_001 }).flushHeaders(),
    ],
    [
      'what is large without saying so',
      (response: ServerResponse) => {
        response.setHeader('content-type', 'image/jpeg')
        for (let i = 0; i < 30; i++) response.write(Buffer.alloc(1000))
        response.end()
      },
    ],
  ])('at %s', async (_, send) => {
    answer = (_request, response) => void send(response)
    expect(await refusal(url())).toBe('URL_NO_PICTURE')
  })

  it.each([
    ['an error', (response: ServerResponse) => response.writeHead(404).end()],
    ['silence', () => {}],
    [
      'a trickle',
      (response: ServerResponse) => {
        response.setHeader('content-type', 'image/jpeg')
        response.write(Buffer.of(0xff))
      },
    ],
    ['a connection that breaks', (response: ServerResponse) => response.destroy()],
  ])('at %s', async (_, send) => {
    answer = (_request, response) => void send(response)
    expect(await refusal(url(), { timeoutSeconds: 0.2 })).toBe('URL_UNREACHABLE')
  })

  it('at a name without address, or a resolver that does not answer', async () => {
    expect(await refusal('http://unknown.example/')).toBe('URL_UNREACHABLE')
    const stuck = new PictureFetcher({
      settings: { ...SETTINGS, timeoutSeconds: 0.2 },
      resolve: () => new Promise(() => {}),
    })
    await expect(stuck.fetch('http://cam.example/')).rejects.toMatchObject({ code: 'URL_UNREACHABLE' })
  })
})

it('fetches four at once', async () => {
  const waiting: ServerResponse[] = []
  answer = (_request, response) => void waiting.push(response)
  const one = fetcher()
  const all = Array.from({ length: 4 }, () => one.fetch(`http://cam.example:${port}/`))
  await expect.poll(() => waiting.length).toBe(4)
  await expect(one.fetch(`http://cam.example:${port}/`)).rejects.toMatchObject({ code: 'API_BUSY' })
  for (const response of waiting) response.setHeader('content-type', 'image/jpeg').end(picture)
  expect(await Promise.all(all)).toHaveLength(4)
})
