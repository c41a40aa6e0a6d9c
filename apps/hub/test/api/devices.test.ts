import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import {
  checkConfig,
  conforms,
  createLog,
  DeviceCredential,
  nodeTopic,
  parseEnrollToken,
  systemClock,
} from '@sightline/core'
import { createHub, type Hub } from '@sightline/hub/hub.js'
import { HubSettings } from '@sightline/hub/settings.js'
import { initCertificates, renewCertificates } from '@sightline/hub/tls/own-certificates.js'
import { ownTlsPaths } from '@sightline/hub/tls/tls-files.js'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { batchOf } from '../ingest/messages.ts'
import { nextEvent } from '../support/next-event.ts'

const DOCK = { site: 'plant', node: 'dock' }

let dir = ''
let hub: Hub
let ca = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'devices-'))
  await initCertificates({ dataDir: dir, names: ['localhost', '127.0.0.1'], days: 90, now: Date.now() })
  ca = await readFile(ownTlsPaths(dir).ca, 'utf8')
  const document = { dataDir: dir, http: { port: 0 }, mqtt: { port: 0 }, tls: { mode: 'always' } }
  hub = await createHub({
    settings: checkConfig(HubSettings, document, 'test'),
    log: createLog({ name: 'hub', level: 'silent' }),
    clock: systemClock,
    version: '9.9.9',
  })
  await hub.start()
})
afterAll(async () => {
  await hub?.stop()
  await rm(dir, { recursive: true, force: true })
})

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by the expectation that reads it
type Answer = { status: number; body: any; headers: NodeJS.Dict<string | string[]> }

/** `fetch` takes no certificate authority. */
function call(method: string, path: string, body?: unknown, headers: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: hub.httpPort,
        path,
        method,
        ca,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      },
      async incoming => {
        let text = ''
        for await (const chunk of incoming) text += chunk
        const { statusCode = 0, headers: received } = incoming
        resolve({ status: statusCode, body: text === '' ? undefined : JSON.parse(text), headers: received })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function enrol(node: string): Promise<DeviceCredential> {
  const { body } = await call('POST', '/api/v1/enrollments', { site: 'plant', node })
  return (await call('POST', '/api/v1/enroll', { token: body.token, agent: '1.2.3' })).body
}

const basic = ({ site, node, secret }: DeviceCredential) => ({
  authorization: `Basic ${Buffer.from(`${site}~${node}:${secret}`).toString('base64')}`,
})

const connect = ({ site, node, secret, brokerUrl }: DeviceCredential) => {
  const id = `${site}~${node}`
  return connectAsync(
    brokerUrl,
    { ca, clientId: id, username: id, password: secret, reconnectPeriod: 0 },
    false,
  )
}

describe('a device', () => {
  it('enrols over HTTPS with a pasted token, and logs in over MQTTS', async () => {
    const issued = await call('POST', '/api/v1/enrollments', { ...DOCK, expiresInSeconds: 60 })
    expect(issued.status).toBe(200)
    expect(issued.headers['cache-control']).toBe('no-store')
    const { token, command, expiresAt } = issued.body
    expect(command).toBe(`sightline-agent enroll --hub https://127.0.0.1:${hub.httpPort} --token ${token}`)
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(60_000)
    // What the token names is among what the server shows.
    const socket = connectTls({ host: '127.0.0.1', port: hub.httpPort, ca })
    await once(socket, 'secureConnect')
    const issuer = socket.getPeerCertificate(true).issuerCertificate
    expect(issuer.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(parseEnrollToken(token)!.caSha256)
    socket.destroy()

    const open = await call('GET', '/api/v1/enrollments')
    expect(open.body.enrollments).toMatchObject([{ ...DOCK, createdBy: 'local' }])
    const { status, body: credential } = await call('POST', '/api/v1/enroll', { token, agent: '1.2.3' })
    expect(status).toBe(200)
    expect(conforms(DeviceCredential, credential)).toBe(true)
    expect(credential).toMatchObject({
      ...DOCK,
      ca,
      hubUrl: `https://127.0.0.1:${hub.httpPort}`,
      brokerUrl: `mqtts://127.0.0.1:${hub.mqttPort}`,
    })
    const device = await connect(credential)
    await device.publishAsync(nodeTopic('emb', DOCK), batchOf([1]), { qos: 1 })
    await device.endAsync()
    const { body } = await call('GET', '/api/v1/devices')
    expect(body.devices).toMatchObject([{ ...DOCK, revokedAt: null }])
    expect(JSON.stringify(body)).not.toContain('Hash')
    expect((await call('POST', '/api/v1/enroll', { token, agent: '1.2.3' })).body.error.code).toBe(
      'ENROLL_REFUSED',
    )
  })

  it('gets no connection without TLS', async () => {
    await expect(
      connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`, { reconnectPeriod: 0 }, false),
    ).rejects.toBeDefined()
    await expect(fetch(`http://127.0.0.1:${hub.httpPort}/healthz`)).rejects.toBeDefined()
  })

  it('changes its secret itself, and only its own', async () => {
    const first = await enrol('rotating')
    const asked = await call('POST', '/api/v1/devices/plant/rotating/rotate')
    expect(asked.body.rotationAskedAt).not.toBeNull()
    const { status, body: second } = await call('POST', '/api/v1/device/credential', {}, basic(first))
    expect(status).toBe(200)
    expect(second).toMatchObject({ node: 'rotating' })
    expect(second.secret).not.toBe(first.secret)
    await (await connect(first)).endAsync()
    await (await connect(second)).endAsync()
    await expect
      .poll(() =>
        connect(first).then(
          () => 0,
          error => error.code,
        ),
      )
      .toBe(5)
    for (const header of [
      {},
      basic(first),
      basic({ ...second, node: 'dock' }),
      { authorization: 'Bearer x' },
    ]) {
      const refused = await call('POST', '/api/v1/device/credential', {}, header)
      expect(refused.status).toBe(401)
      expect(refused.body.error.code).toBe('CREDENTIAL_REFUSED')
      expect(refused.headers['www-authenticate']).toContain('Basic')
    }
  })

  it('is dropped when it is revoked', async () => {
    const credential = await enrol('revoked')
    const device = await connect(credential)
    const closed = nextEvent(device, 'close')
    const { body } = await call('POST', '/api/v1/devices/plant/revoked/revoke')
    expect(body.revokedAt).not.toBeNull()
    await closed
    await expect(connect(credential)).rejects.toMatchObject({ code: 5 })
    expect((await call('POST', '/api/v1/device/credential', {}, basic(credential))).status).toBe(401)
    expect((await call('POST', '/api/v1/devices/plant/nobody/revoke')).status).toBe(404)
  })

  it('stays connected while the certificate is changed', async () => {
    const device = await connect(await enrol('steady'))
    const serial = async () => {
      const socket = connectTls({ host: '127.0.0.1', port: hub.mqttPort, ca })
      await once(socket, 'secureConnect')
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    const before = await serial()
    await renewCertificates({ dataDir: dir, names: [], days: 90, now: Date.now() })
    await hub.reload()
    expect(await serial()).not.toBe(before)
    await device.publishAsync(nodeTopic('emb', { site: 'plant', node: 'steady' }), batchOf([1]), { qos: 1 })
    expect((await call('GET', '/healthz')).status).toBe(200)
    await device.endAsync()
  })
})

describe('the operator', () => {
  it('withdraws a token', async () => {
    const { body } = await call('POST', '/api/v1/enrollments', { site: 'plant', node: 'never' })
    expect((await call('DELETE', `/api/v1/enrollments/${body.id}`)).body).toEqual({ withdrawn: true })
    expect((await call('DELETE', `/api/v1/enrollments/${body.id}`)).status).toBe(404)
    expect((await call('POST', '/api/v1/enroll', { token: body.token, agent: '1' })).status).toBe(401)
  })

  it('is told what is wrong with a request', async () => {
    for (const wrong of [
      { site: 'a/b', node: 'x' },
      { site: 'a' },
      { site: 'a', node: 'b', expiresInSeconds: 1e9 },
    ])
      expect((await call('POST', '/api/v1/enrollments', wrong)).status).toBe(400)
  })

  it('reads who did what', async () => {
    const settings = { cameras: [{ name: 'gate', source: 'rtsp://me:canary-91@10.0.0.9/1' }] }
    await call('PUT', '/api/v1/devices/plant/steady/config', { settings })
    await call('PUT', '/api/v1/sites/plant/config', { settings: { thumbnails: 'none' } })
    await call('POST', '/api/v1/devices/plant/steady/commands', { command: 'doctor' })
    const { body } = await call('GET', '/api/v1/audit?limit=1000')
    const actions = new Set(body.entries.map((entry: { action: string }) => entry.action))
    for (const action of [
      'enrolment.issued',
      'enrolment.withdrawn',
      'device.enrolled',
      'device.rotated',
      'device.revoked',
      'device.configured',
      'site.configured',
      'device.commanded',
    ])
      expect(actions).toContain(action)
    expect(body.entries.slice(0, 3)).toMatchObject([
      { subject: 'plant/steady', detail: { command: 'doctor' } },
      { subject: 'plant', detail: { version: 1, settings: 'thumbnails' } },
      { subject: 'plant/steady', actor: 'local', detail: { version: 1, settings: 'cameras' } },
    ])
    expect(JSON.stringify(body)).not.toContain('canary-91')
    const page = await call('GET', `/api/v1/audit?limit=2&before=${body.entries[1].id}`)
    expect(page.body.entries).toEqual(body.entries.slice(2, 4))
  })

  it('sees refusals and the end of the certificate in the metrics', async () => {
    const text = await new Promise<string>(resolve => {
      request({ host: '127.0.0.1', port: hub.httpPort, path: '/metrics', ca }, async incoming => {
        let all = ''
        for await (const chunk of incoming) all += chunk
        resolve(all)
      }).end()
    })
    expect(Number(/^sightline_mqtt_auth_failures_total (\d+)/m.exec(text)![1])).toBeGreaterThan(0)
    expect(Number(/^sightline_mqtt_tls_failures_total (\d+)/m.exec(text)![1])).toBeGreaterThan(0)
    const end = Number(/^sightline_tls_certificate_not_after_timestamp_seconds (\S+)/m.exec(text)![1])
    expect(Math.round((end - Date.now() / 1000) / 86_400)).toBe(90)
  })

  // Last: it uses up the requests of this address.
  it('is protected from floods of guessed tokens', async () => {
    const guess = () => call('POST', '/api/v1/enroll', { token: `slt1.${'A'.repeat(43)}`, agent: '1' })
    const answers = await Promise.all(Array.from({ length: 40 }, guess))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited.length).toBeGreaterThanOrEqual(10)
    expect(limited[0]!.body.error.code).toBe('API_RATE_LIMITED')
    expect(Number(limited[0]!.headers['retry-after'])).toBeGreaterThan(0)
  })
})
