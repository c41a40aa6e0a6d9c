import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bareJpeg } from '@sightline/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frameIdOf, photo, TestHub } from '../moderation/hub.ts'

let server: Server
let url: string
let hub: TestHub
beforeAll(async () => {
  const moose = await photo('yard/13-moose')
  server = createServer((request, response) => {
    if (request.url === '/moose.jpg') response.setHeader('content-type', 'image/jpeg').end(moose)
    else response.setHeader('content-type', 'image/png').end('<svg>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await hub?.stop()
})

const codeOf = async (body: unknown) => (await hub.post('/api/v1/search', body)).body.error?.code

describe('a hub that fetches no pictures', () => {
  it('says so, and asks nobody', async () => {
    hub = await TestHub.start()
    expect((await hub.call('/api/v1/system')).body.searchByUrl).toBe(false)
    const answer = await hub.post('/api/v1/search', { imageUrl: `${url}/moose.jpg` })
    expect([answer.status, answer.body.error.code]).toEqual([403, 'URL_SEARCH_OFF'])
    const picture = await hub.post('/api/v1/search/picture', { url: `${url}/moose.jpg` })
    expect(picture.body.error.code).toBe('URL_SEARCH_OFF')
    expect((await hub.post('/api/v1/search', { text: 'a moose' })).status).toBe(200)
    await hub.stop()
  })
})

describe('a hub that fetches pictures', () => {
  beforeAll(async () => {
    hub = await TestHub.start({ searchByUrl: { enabled: true, allow: ['127.0.0.1/32'] } })
  })

  it('searches by one, alone or with weights', async () => {
    expect((await hub.call('/api/v1/system')).body.searchByUrl).toBe(true)
    const imageUrl = `${url}/moose.jpg`
    for (const question of [
      { imageUrl },
      { positives: [{ imageUrl, weight: 2 }], negatives: [{ text: 'a cup' }] },
    ]) {
      const { status, body } = await hub.post('/api/v1/search', question)
      expect(status).toBe(200)
      expect(body.hits[0].id).toBe(frameIdOf(1))
    }
    const { body } = await hub.post('/api/v1/classify', { imageUrl, labels: ['a moose', 'a cup of coffee'] })
    expect(body.labels[0].label).toBe('a moose')
    const saved = await hub.post('/api/v1/searches', { name: 'moose', imageUrl, threshold: 0.5 })
    expect([saved.status, saved.body.subjects]).toEqual([201, ['image']])
  })

  it('gives the picture to the page, small and without metadata', async () => {
    const response = await fetch(`${hub.url}/api/v1/search/picture`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: `${url}/moose.jpg` }),
    })
    expect(response.headers.get('content-type')).toBe('image/jpeg')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const { width, height } = bareJpeg(new Uint8Array(await response.arrayBuffer()))!
    expect(Math.max(width, height)).toBeLessThanOrEqual(1024)
  })

  it('refuses what lies inside, what is no picture, and too many at once', async () => {
    expect(await codeOf({ imageUrl: 'http://169.254.169.254/latest/meta-data/' })).toBe('URL_REFUSED')
    expect(await codeOf({ imageUrl: `${hub.url.replace('127.0.0.1', '127.0.0.2')}/healthz` })).toBe(
      'URL_REFUSED',
    )
    expect(await codeOf({ imageUrl: `${url}/drawing` })).toBe('IMAGE_INVALID')
    const positives = Array.from({ length: 5 }, () => ({ imageUrl: `${url}/moose.jpg` }))
    expect(await codeOf({ positives })).toBe('API_BAD_REQUEST')
    expect(await codeOf({ imageUrl: `${url}/moose.jpg`, image: 'AAAA' })).toBe('API_BAD_REQUEST')
  })
})
