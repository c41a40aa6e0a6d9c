import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  checkConfig,
  createLog,
  type EmbeddingBatch,
  encodeJson,
  encodeMessagePack,
  type IncidentEvent,
  loadModel,
  nodeTopic,
  systemClock,
  thumbnail,
  vectorToBytes,
} from '@sightline/core'
import { createHub, type Hub } from '@sightline/hub/hub.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
const PHOTOS = ['yard/13-moose', 'lobby/01-cup-of-espresso', 'harbour/06-fireworks', 'yard/07-puppy'].map(
  name => join(ROOT, 'deploy/samples/cameras', `${name}.jpg`),
)
const SESSION = '01JD0000000000000000000000'
const address = { site: 'default', node: 'n1' }
const frameIdOf = (seq: number) => `default~n1~${SESSION}~${seq}`

let dir = ''
let hub: Hub
let agent: MqttClient
let url = ''

/** A hub of its own with four photos and one incident in it, sent the way an agent sends them. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'api-'))
  const settings = checkConfig(
    HubSettings,
    { dataDir: dir, http: { port: 0, maxLiveClients: 2, maxBodyBytes: 4_000_000 }, mqtt: { port: 0 } },
    'test',
  )
  hub = await createHub({
    settings,
    log: createLog({ name: 'hub', level: 'silent' }),
    clock: systemClock,
    version: '9.9.9',
  })
  await hub.start()
  url = `http://127.0.0.1:${hub.httpPort}`
  const model = await loadModel({ dir: join(ROOT, 'models/quantized/sightline-mini') })
  const files = await Promise.all(PHOTOS.map(path => readFile(path)))
  const vectors = await model.encodeImages(files)
  const batch: EmbeddingBatch = {
    v: 1,
    session: SESSION,
    fingerprint: model.fingerprint,
    dim: model.dim,
    dtype: 'f32',
    historical: false,
    skipped: [],
    items: await Promise.all(
      vectors.map(async (vector, i) => ({
        seq: i + 1,
        camera: i % 2 === 0 ? 'yard' : 'lobby',
        capturedAt: Date.UTC(2026, 0, 1, 12, i),
        vector: vectorToBytes(vector),
        verdicts: [{ rule: 'animal', score: 0.9, similarity: 0.4, fired: i === 0 }],
        ...(i === 3 ? {} : { thumbnail: new Uint8Array(await thumbnail(files[i]!)) }),
      })),
    ),
  }
  const event: IncidentEvent = {
    v: 1,
    session: SESSION,
    seq: 5,
    phase: 'new',
    incident: '01JD0000000000000000000001',
    rule: 'animal',
    ruleName: 'Animal',
    rulesVersion: 1,
    severity: 'low',
    camera: 'yard',
    at: Date.UTC(2026, 0, 1, 12),
    startedAt: Date.UTC(2026, 0, 1, 12),
    score: 0.9,
    peakScore: 0.9,
    frames: 1,
    bestFrame: 1,
  }
  agent = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`, { clientId: 'default.n1' })
  await agent.publishAsync(nodeTopic('emb', address), Buffer.from(encodeMessagePack(batch)), { qos: 1 })
  await agent.publishAsync(nodeTopic('event', address), encodeJson(event), { qos: 1 })
  await agent.publishAsync(
    nodeTopic('state', address),
    encodeJson({
      v: 1,
      online: true,
      at: Date.now(),
      session: SESSION,
      agent: '0.1.0',
      fingerprint: model.fingerprint,
      provider: 'cpu',
      rulesGroup: 'all',
      rulesVersion: 1,
      configVersion: 0,
      cameras: [{ camera: 'yard', status: 'running', lastFrameAt: Date.now() }],
    }),
    { qos: 1, retain: true },
  )
  await model.close()
}, 120_000)

afterAll(async () => {
  await agent?.endAsync()
  await hub?.stop()
  await rm(dir, { recursive: true, force: true })
})

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by the expectation that reads it
type Answer = any

async function call(
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: Answer; headers: Headers }> {
  const response = await fetch(url + path, init)
  return { status: response.status, body: await response.json(), headers: response.headers }
}

const post = (path: string, body: unknown, method = 'POST') =>
  call(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

describe('search', () => {
  it('by words', async () => {
    const { status, body } = await call('/api/v1/search?text=a%20cup%20of%20coffee&limit=2')
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
    form.append('image', new Blob([new Uint8Array(await readFile(PHOTOS[2]!))]), 'x.jpg')
    const { status, body } = await call('/api/v1/search', { method: 'POST', body: form })
    expect(body).toHaveProperty('hits')
    expect(status).toBe(200)
    expect(body.hits[0].id).toBe(frameIdOf(3))
    expect(body.hits[0].similarity).toBeGreaterThan(0.999)
  })

  it('by a picture in base64, a stored frame, a vector', async () => {
    const image = (await readFile(PHOTOS[3]!)).toString('base64')
    const byImage = await post('/api/v1/search', { image, limit: 1 })
    expect(byImage.body.hits[0].id).toBe(frameIdOf(4))
    const byId = await post('/api/v1/search', { id: frameIdOf(1), limit: 10 })
    expect(byId.body.hits.map((hit: { id: string }) => hit.id)).not.toContain(frameIdOf(1))
    expect(byId.body.hits).toHaveLength(3)
    const encoded = await post('/api/v1/encode', { texts: ['a moose'] })
    const byVector = await post('/api/v1/search', { vector: encoded.body.texts[0], limit: 1 })
    expect(byVector.body.hits[0].id).toBe(frameIdOf(1))
  })

  it('within filters', async () => {
    const { body } = await call('/api/v1/search?text=an%20animal&camera=lobby&from=2026-01-01T12:02:00Z')
    expect(body.hits.map((hit: { id: string }) => hit.id)).toEqual([frameIdOf(4)])
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
    const answer = await post('/api/v1/search', body)
    expect(answer.status).toBe(status)
    expect(answer.body.error).toMatchObject({ code, remedy: expect.any(String) })
  })

  it('refuses a body beyond the limit', async () => {
    const answer = await post('/api/v1/search', { image: 'A'.repeat(5_000_000) })
    expect([answer.status, answer.body.error.code]).toEqual([413, 'API_TOO_LARGE'])
  })
})

describe('frames, incidents, devices', () => {
  it('lists and shows frames', async () => {
    const list = await call('/api/v1/frames?camera=yard')
    expect(list.body.frames.map((frame: { id: string }) => frame.id)).toEqual([frameIdOf(3), frameIdOf(1)])
    const one = await call(`/api/v1/frames/${frameIdOf(1)}`)
    expect(one.body).toEqual(list.body.frames[1])
    expect((await call('/api/v1/frames/none')).body.error.code).toBe('API_NOT_FOUND')
  })

  it('lists the newest frame of each camera, and those on which a rule fired', async () => {
    const ids = async (query: string) =>
      (await call(`/api/v1/frames?${query}`)).body.frames.map((frame: { id: string }) => frame.id)
    expect(await ids('each=camera')).toEqual([frameIdOf(4), frameIdOf(3)])
    expect(await ids('each=camera&limit=1')).toEqual([frameIdOf(4)])
    expect(await ids('each=camera&camera=yard')).toEqual([frameIdOf(3)])
    expect(await ids('rule=animal&fired=true')).toEqual([frameIdOf(1)])
    expect(await ids('fired=false&limit=2')).toEqual([frameIdOf(4), frameIdOf(3)])
  })

  it('serves a thumbnail and says when there is none', async () => {
    const response = await fetch(`${url}/api/v1/frames/${frameIdOf(1)}/thumbnail`)
    expect(response.headers.get('content-type')).toBe('image/jpeg')
    expect(response.headers.get('cache-control')).toBe('private, max-age=3600')
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1000)
    expect((await call(`/api/v1/frames/${frameIdOf(4)}/thumbnail`)).status).toBe(404)
  })

  it('lists incidents', async () => {
    const { body } = await call('/api/v1/events?open=true&rule=animal')
    expect(body.events).toEqual([
      expect.objectContaining({
        id: '01JD0000000000000000000001',
        endedAt: null,
        bestFrameId: frameIdOf(1),
        severity: 'low',
      }),
    ])
    expect((await call('/api/v1/events?open=false')).body.events).toEqual([])
  })

  it('lists devices with what is stored of them', async () => {
    const { body } = await call('/api/v1/nodes')
    expect(body.nodes).toEqual([
      expect.objectContaining({ node: 'n1', online: true, agent: '0.1.0', stored: { upTo: 5, ranges: [] } }),
    ])
    expect(body.nodes[0].lastDataAt).toMatch(/^\d{4}-/)
  })
})

describe('rules', () => {
  it('come seeded, can be replaced, and refuse a stale version', async () => {
    const before = (await call('/api/v1/rules')).body
    expect(before.rules).toHaveLength(3)
    const rule = { id: 'boat', name: 'Boat', positives: ['a boat'] }
    const put = await post('/api/v1/rules', { rules: [rule], version: before.version }, 'PUT')
    expect(put.status).toBe(200)
    expect(put.body).toMatchObject({
      version: before.version + 1,
      rules: [{ id: 'boat', enabled: true, severity: 'medium' }],
    })
    const stale = await post('/api/v1/rules', { rules: [], version: before.version }, 'PUT')
    expect([stale.status, stale.body.error.code]).toEqual([409, 'RULES_CONFLICT'])
  })

  it('name every fault by its path', async () => {
    const rules = [
      { id: 'Bad Id', name: 'x', positives: [] },
      { id: 'b', name: 'y', positives: [''], on: 2 },
    ]
    const { status, body } = await post('/api/v1/rules', { rules }, 'PUT')
    expect([status, body.error.code]).toEqual([422, 'RULES_INVALID'])
    for (const path of ['rules.0.id', 'rules.0.positives', 'rules.1.positives.0', 'rules.1.on'])
      expect(body.error.message).toContain(path)
  })
})

describe('live', () => {
  it('sends what is stored as it is stored, and limits how many watch', async () => {
    const abort = new AbortController()
    const watch = () => fetch(`${url}/api/v1/live`, { signal: abort.signal })
    const [first] = await Promise.all([watch(), watch()])
    expect(first.headers.get('content-type')).toContain('text/event-stream')
    expect((await watch()).status).toBe(503)
    const reader = first.body!.pipeThrough(new TextDecoderStream()).getReader()
    const node = await call('/api/v1/nodes')
    await agent.publishAsync(
      nodeTopic('state', address),
      encodeJson({
        v: 1,
        online: false,
        at: Date.now(),
        session: SESSION,
        agent: '0.1.0',
        fingerprint: node.body.nodes[0].fingerprint,
        provider: 'cpu',
        rulesGroup: 'all',
        rulesVersion: 1,
        configVersion: 0,
        cameras: [],
      }),
      { qos: 1 },
    )
    let text = ''
    while (!text.includes('event: node')) text += (await reader.read()).value ?? ''
    expect(text).toContain('"online":false')
    abort.abort()
  })
})

describe('the service', () => {
  it('describes itself', async () => {
    const { body } = await call('/api/v1/openapi.json')
    expect(Object.keys(body.paths).sort()).toEqual(
      [
        'audit',
        'classify',
        'device/credential',
        'devices',
        'devices/{site}/{node}',
        'devices/{site}/{node}/commands',
        'devices/{site}/{node}/commands/{id}',
        'devices/{site}/{node}/config',
        'devices/{site}/{node}/config/history',
        'devices/{site}/{node}/revoke',
        'devices/{site}/{node}/rotate',
        'drift',
        'encode',
        'enroll',
        'enrollments',
        'enrollments/{id}',
        'events',
        'explain',
        'frames',
        'frames/{id}',
        'frames/{id}/neighbours',
        'frames/{id}/similar',
        'frames/{id}/thumbnail',
        'index',
        'keys',
        'keys/{id}',
        'labels',
        'live',
        'moderations',
        'nodes',
        'rank',
        'review',
        'review/records',
        'review/{incident}',
        'quarantine',
        'rule-packs',
        'rule-packs/{name}/add',
        'rules',
        'rules/backtest',
        'rules/check',
        'rules/examples',
        'rules/examples/{id}/thumbnail',
        'rules/history',
        'rules/key',
        'rules/learning',
        'rules/targets',
        'rules/versions/{version}',
        'rules/versions/{version}/restore',
        'rules/{id}',
        'rules/{id}/backtest',
        'search',
        'search/picture',
        'searches',
        'searches/threshold',
        'searches/{id}',
        'searches/{id}/hits',
        'session',
        'session/password',
        'setup',
        'sites/{site}/config',
        'sites/{site}/config/history',
        'storage',
        'system',
        'users',
        'users/{name}',
      ]
        .map(path => `/api/v1/${path}`)
        .sort(),
    )
    const system = await call('/api/v1/system')
    expect(system.body).toMatchObject({
      version: '9.9.9',
      counts: { frames: 4, incidents: 1, thumbnails: 3 },
      index: { vectors: 4 },
    })
    const storage = await call('/api/v1/storage')
    expect(storage.body).toMatchObject({
      thumbnails: { count: 3 },
      vectors: { count: 4 },
      retention: { days: 0, maxFramesPerCamera: 0 },
      snapshot: null,
    })
  })

  it('is healthy, ready and measured', async () => {
    expect((await call('/healthz')).body).toEqual({ status: 'ok' })
    expect((await call('/readyz')).status).toBe(200)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toMatch(/^sightline_ingest_frames_total 4$/m)
    expect(metrics).toMatch(/^sightline_index_vectors 4$/m)
    expect(metrics).toMatch(/^sightline_search_seconds_count \d+$/m)
  })

  it('sends a strict policy and refuses a re-bound name', async () => {
    const { headers } = await call('/healthz')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    const { request } = await import('node:http')
    const status = await new Promise(resolve =>
      request(
        { port: hub.httpPort, host: '127.0.0.1', path: '/healthz', headers: { host: 'evil.example' } },
        reply => resolve(reply.statusCode),
      ).end(),
    )
    expect(status).toBe(403)
  })

  it('answers an unknown path with its code', async () => {
    expect((await call('/api/v1/nothing')).body.error.code).toBe('API_NOT_FOUND')
  })
})

/** Last: nothing is left afterwards. */
describe('deleting', () => {
  const erase = (query: string) => call(`/api/v1/frames?${query}`, { method: 'DELETE' })

  it('of a camera takes its frames, pictures and incidents, and says how much', async () => {
    expect((await erase('')).status).toBe(400)
    expect((await erase('colour=red')).status).toBe(400)
    const { status, body } = await erase('camera=lobby')
    expect(status).toBe(200)
    expect(body).toMatchObject({ frames: 2, thumbnails: 1, incidents: 0, nodes: 0 })
    expect(body.bytes).toBeGreaterThan(2000)
    const { hits } = (await call('/api/v1/search?text=coffee')).body
    expect(hits.map((hit: Answer) => hit.camera)).toEqual(['yard', 'yard'])
    expect((await call(`/api/v1/frames/${frameIdOf(2)}/thumbnail`)).status).toBe(404)
  })

  it('of a device leaves nothing of it, whatever it sends again', async () => {
    const { body } = await erase('site=default&node=n1')
    expect(body).toMatchObject({ frames: 2, incidents: 1, nodes: 1 })
    expect((await call('/api/v1/search?text=coffee')).body.hits).toEqual([])
    expect((await call('/api/v1/events')).body.events).toEqual([])
    expect((await call('/api/v1/system')).body).toMatchObject({
      counts: { frames: 0, incidents: 0, thumbnails: 0 },
      index: { vectors: 0 },
    })
  })
})
