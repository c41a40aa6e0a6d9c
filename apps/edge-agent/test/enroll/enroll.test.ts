import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DeviceCredential, formatEnrollToken, systemClock } from '@sightline/core'
import { examineCredential } from '@sightline/edge-agent/doctor/credential.js'
import { credentialPath, forgetCredential, readCredential } from '@sightline/edge-agent/enroll/credential.js'
import { enroll } from '@sightline/edge-agent/enroll/enroll.js'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ServerIdentity, serverIdentity } from '../support/authority.ts'

const SECRET = 's'.repeat(43)
const RULES_KEY = 'PEM'
const TOKEN_SECRET = 't'.repeat(43)

let identity: ServerIdentity
let stranger: ServerIdentity
beforeAll(async () => {
  ;[identity, stranger] = await Promise.all([serverIdentity(), serverIdentity()])
})

let dataDir = ''
const servers: Server[] = []
const bodies: unknown[] = []
let answer: (hubUrl: string) => { status: number; body: unknown }

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'enroll-'))
  bodies.length = 0
  answer = hubUrl => ({ status: 200, body: credentialOf(hubUrl) })
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await rm(dataDir, { recursive: true, force: true })
})

function credentialOf(hubUrl: string, change: Partial<DeviceCredential> = {}): DeviceCredential {
  return {
    v: 1,
    site: 'warehouse',
    node: 'dock-3',
    secret: SECRET,
    brokerUrl: 'mqtt://127.0.0.1:1883',
    hubUrl,
    ca: null,
    rulesKeys: [RULES_KEY],
    issuedAt: Date.UTC(2026, 0, 2),
    ...change,
  }
}

/** A hub that notes what it is sent. */
async function hub(tls?: ServerIdentity): Promise<string> {
  const listener: RequestListener = (request, response) => {
    let text = ''
    request.on('data', chunk => {
      text += chunk
    })
    request.on('end', () => {
      bodies.push(JSON.parse(text))
      const { status, body } = answer(url)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  }
  const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  return url
}

const tokenFor = (caSha256?: string) => formatEnrollToken({ secret: TOKEN_SECRET, caSha256 })
const take = (url: string, token: string, force = false) =>
  enroll({ hub: url, token, dataDir, force, agent: '9.9.9' })

describe('enrolment', () => {
  it('trusts the authority that the token names, and keeps the credential to itself', async () => {
    const url = await hub(identity)
    const token = tokenFor(identity.caSha256)
    const credential = await take(url, token)
    expect(bodies).toEqual([{ token, agent: '9.9.9' }])
    expect(credential).toMatchObject({ site: 'warehouse', node: 'dock-3', secret: SECRET })
    expect(credential.ca?.replace(/\s/g, '')).toBe(identity.ca.replace(/\s/g, ''))
    const path = credentialPath(dataDir)
    expect(await readCredential(path)).toEqual(credential)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const findings = await examineCredential(dataDir, systemClock)
    expect(findings.map(({ name, mark }) => [name, mark])).toEqual([
      ['credential', 'ok'],
      ['authority', 'ok'],
      ['certificate', 'ok'],
    ])
    expect(JSON.stringify(findings)).not.toContain(SECRET)
    expect(await forgetCredential(dataDir)).toBe(true)
    expect(await forgetCredential(dataDir)).toBe(false)
  })

  it('sends the token to nobody who cannot show that authority', async () => {
    const url = await hub(stranger)
    await expect(take(url, tokenFor(identity.caSha256))).rejects.toMatchObject({ code: 'ENROLL_CA_MISMATCH' })
    // The server's own certificate is no authority.
    const leaf = createHash('sha256').update(new X509Certificate(stranger.cert).raw).digest('hex')
    await expect(take(url, tokenFor(leaf))).rejects.toMatchObject({ code: 'ENROLL_CA_MISMATCH' })
    // Without a hash the system's authorities decide, and they know neither.
    await expect(take(url, tokenFor())).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' })
    expect(bodies).toEqual([])
  })

  it.each([
    [
      401,
      { error: { code: 'ENROLL_REFUSED', message: 'this token has expired' } },
      'ENROLL_REFUSED',
      /expired/,
    ],
    [403, 'who are you?', 'ENROLL_REFUSED', /answers 403/],
    [502, 'proxy', 'HUB_UNREACHABLE', /answers 502/],
    [200, { site: 'x', secret: 'canary' }, 'PAYLOAD_INVALID', /no credential/],
  ])('says why the hub refuses: %s %j', async (status, body, code, message) => {
    answer = () => ({ status, body })
    const failed = await take(await hub(), tokenFor()).catch(error => error)
    expect(failed).toMatchObject({ code })
    expect(failed.message).toMatch(message)
    expect(failed.message).not.toContain('canary')
    expect(await readCredential(credentialPath(dataDir))).toBeUndefined()
  })

  it('knows a hub that is not there, a token that is none and an address that is none', async () => {
    const server = createTcp().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const away = `127.0.0.1:${port}`
    await expect(take(`http://${away}`, tokenFor())).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' })
    await expect(take(`https://${away}`, tokenFor(identity.caSha256))).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
    })
    await expect(take(`http://${away}`, 'slt1.short')).rejects.toMatchObject({ code: 'ENROLL_TOKEN_INVALID' })
    for (const url of ['http://10.0.0.1:8080', 'ftp://127.0.0.1', 'https://me:pw@h', 'hub'])
      await expect(take(url, tokenFor())).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it("replaces another hub's credential only by force, and asks before the token is spent", async () => {
    const url = await hub()
    await writeFile(credentialPath(dataDir), JSON.stringify(credentialOf('https://other.example')))
    await expect(take(url, tokenFor())).rejects.toMatchObject({ code: 'CREDENTIAL_EXISTS' })
    expect(bodies).toEqual([])
    await take(url, tokenFor(), true)
    expect(await readCredential(credentialPath(dataDir))).toMatchObject({ hubUrl: url })
    // Again at the same hub needs none.
    answer = hubUrl => ({ status: 200, body: credentialOf(hubUrl, { node: 'dock-4' }) })
    await take(url, tokenFor())
    expect(await readCredential(credentialPath(dataDir))).toMatchObject({ node: 'dock-4' })
  })

  it('says of a damaged credential that it is, and nothing that stands in it', async () => {
    await writeFile(credentialPath(dataDir), '{"secret": "canary')
    const failed = await readCredential(credentialPath(dataDir)).catch(error => error)
    expect(failed).toMatchObject({ code: 'CREDENTIAL_DAMAGED' })
    expect(failed.message).not.toContain('canary')
    expect(await examineCredential(dataDir, systemClock)).toMatchObject([{ mark: 'fail' }])
    expect(await readFile(credentialPath(dataDir), 'utf8')).toContain('canary')
  })
})
