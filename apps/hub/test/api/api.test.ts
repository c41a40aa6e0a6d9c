import { encodeJson, nodeTopic } from '@sightline/core'
import { describe, expect, it } from 'vitest'
import { SESSION } from '../moderation/hub.ts'
import { address, PhotoHub } from './photo-hub.ts'

const hub = PhotoHub.forAllTests()

describe('rules', () => {
  it('come seeded, can be replaced, and refuse a stale version', async () => {
    const before = (await hub.call('/api/v1/rules')).body
    expect(before.rules).toHaveLength(3)
    const rule = { id: 'boat', name: 'Boat', positives: ['a boat'] }
    const put = await hub.post('/api/v1/rules', { rules: [rule], version: before.version }, 'PUT')
    expect(put.status).toBe(200)
    expect(put.body).toMatchObject({
      version: before.version + 1,
      rules: [{ id: 'boat', enabled: true, severity: 'medium' }],
    })
    const stale = await hub.post('/api/v1/rules', { rules: [], version: before.version }, 'PUT')
    expect([stale.status, stale.body.error.code]).toEqual([409, 'RULES_CONFLICT'])
  })

  it('name every fault by its path', async () => {
    const rules = [
      { id: 'Bad Id', name: 'x', positives: [] },
      { id: 'b', name: 'y', positives: [''], on: 2 },
    ]
    const { status, body } = await hub.post('/api/v1/rules', { rules }, 'PUT')
    expect([status, body.error.code]).toEqual([422, 'RULES_INVALID'])
    for (const path of ['rules.0.id', 'rules.0.positives', 'rules.1.positives.0', 'rules.1.on'])
      expect(body.error.message).toContain(path)
  })
})

describe('live', () => {
  it('sends what is stored as it is stored, and limits how many watch', async () => {
    const abort = new AbortController()
    const watch = () => fetch(`${hub.url}/api/v1/live`, { signal: abort.signal })
    const [first] = await Promise.all([watch(), watch()])
    expect(first.headers.get('content-type')).toContain('text/event-stream')
    expect((await watch()).status).toBe(503)
    const reader = first.body!.pipeThrough(new TextDecoderStream()).getReader()
    const node = await hub.call('/api/v1/nodes')
    await hub.agent.publishAsync(
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
    const { body } = await hub.call('/api/v1/openapi.json')
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
        'devices/{site}/{node}/stats',
        'drift',
        'encode',
        'enroll',
        'enrollments',
        'enrollments/{id}',
        'events',
        'explain',
        'frames',
        'frames/tags',
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
        'tags',
        'users',
        'users/{name}',
      ]
        .map(path => `/api/v1/${path}`)
        .sort(),
    )
    const system = await hub.call('/api/v1/system')
    expect(system.body).toMatchObject({
      version: '9.9.9',
      counts: { frames: 4, incidents: 1, thumbnails: 3 },
      index: { vectors: 4 },
    })
    const storage = await hub.call('/api/v1/storage')
    expect(storage.body).toMatchObject({
      thumbnails: { count: 3 },
      vectors: { count: 4 },
      retention: { days: 0, maxFramesPerCamera: 0 },
      snapshot: null,
    })
  })

  it('is healthy, ready and measured', async () => {
    expect((await hub.call('/healthz')).body).toEqual({ status: 'ok' })
    expect((await hub.call('/readyz')).status).toBe(200)
    const metrics = await (await fetch(`${hub.url}/metrics`)).text()
    expect(metrics).toMatch(/^sightline_ingest_frames_total 4$/m)
    expect(metrics).toMatch(/^sightline_index_vectors 4$/m)
    expect(metrics).toMatch(/^sightline_search_seconds_count \d+$/m)
  })

  it('sends a strict policy and refuses a re-bound name', async () => {
    const { headers } = await hub.call('/healthz')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    const { request } = await import('node:http')
    const status = await new Promise(resolve =>
      request(
        {
          port: new URL(hub.url).port,
          host: '127.0.0.1',
          path: '/healthz',
          headers: { host: 'evil.example' },
        },
        reply => resolve(reply.statusCode),
      ).end(),
    )
    expect(status).toBe(403)
  })

  it('answers an unknown path with its code', async () => {
    expect((await hub.call('/api/v1/nothing')).body.error.code).toBe('API_NOT_FOUND')
  })
})
