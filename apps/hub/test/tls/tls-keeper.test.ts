import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { checkConfig, createLog } from '@sightline/core'
import { HubSettings } from '@sightline/hub/settings.js'
import { initCertificates, renewCertificates } from '@sightline/hub/tls/own-certificates.js'
import { ownTlsPaths } from '@sightline/hub/tls/tls-files.js'
import { TlsKeeper } from '@sightline/hub/tls/tls-keeper.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const DAY_MS = 86_400_000

let dataDir = ''
let clock: FakeClock
let keeper: TlsKeeper
let server: Server | undefined
let logged: { level: number; msg: string }[] = []
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'keeper-'))
  clock = new FakeClock(Date.now())
  logged = []
})
afterEach(async () => {
  await keeper?.stop()
  server?.close()
  server = undefined
  await rm(dataDir, { recursive: true })
})

function keep(document: object): TlsKeeper {
  const destination = new Writable({
    write(line, _encoding, done) {
      logged.push(JSON.parse(String(line)))
      done()
    },
  })
  const settings = checkConfig(HubSettings, document, 'test')
  keeper = new TlsKeeper({
    settings,
    dataDir,
    clock,
    log: createLog({ name: 'test', level: 'info', destination }),
  })
  return keeper
}

const order = (days: number) => ({ dataDir, names: ['localhost'], days, now: clock.now() })
const ALWAYS = { tls: { mode: 'always' } }
const HOST = '127.0.0.1'

async function serve(): Promise<number> {
  server = createServer(keeper.contextFor(HOST)!, socket => socket.pipe(socket))
  server.on('tlsClientError', () => {})
  keeper.attach(server)
  await new Promise<void>(done => server!.listen(0, HOST, done))
  const address = server.address()
  return typeof address === 'object' ? address!.port : 0
}

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = await readFile(ownTlsPaths(dataDir).ca)
  const socket = connect({ host: HOST, port, servername: 'localhost', ca, ...options })
  await once(socket, 'secureConnect')
  return socket
}

describe('the certificate of the listeners', () => {
  it('is asked for beyond loopback, and named with two ways out when it is missing', async () => {
    keep({})
    await keeper.start()
    expect(keeper.contextFor(HOST)).toBeUndefined()
    for (const beyond of [{ http: { host: '0.0.0.0' } }, { mqtt: { host: '::' } }, ALWAYS]) {
      keep(beyond)
      const error = await keeper.start().catch(reason => reason)
      expect(error.code).toBe('TLS_MISSING')
      expect(error.remedy).toMatch(/certs init.*tls\.terminated: true/)
    }
    keep({ http: { host: '0.0.0.0' }, mqtt: { host: '0.0.0.0' }, tls: { terminated: true } })
    await keeper.start()
    expect(keeper.contextFor('0.0.0.0')).toBeUndefined()
  })

  it('serves the listeners that are exposed, and loopback plain', async () => {
    await initCertificates(order(100))
    keep({ mqtt: { host: '0.0.0.0' } })
    await keeper.start()
    expect(keeper.contextFor('0.0.0.0')).toMatchObject({ minVersion: 'TLSv1.2' })
    expect(keeper.contextFor(HOST)).toBeUndefined()
    expect(keeper.ca()).toContain('BEGIN CERTIFICATE')
    expect(keeper.caSha256()).toMatch(/^[0-9a-f]{64}$/)
  })

  it('may be brought along', async () => {
    await initCertificates(order(100))
    const own = ownTlsPaths(dataDir)
    keep({ tls: { mode: 'always', certFile: own.cert, keyFile: own.key } })
    await keeper.start()
    expect(keeper.contextFor(HOST)).toBeDefined()
    expect(keeper.ca()).toBeNull()
    expect(keeper.caSha256()).toBeUndefined()
  })

  it('speaks TLS 1.2 and 1.3 and nothing older', async () => {
    await initCertificates(order(100))
    await keep(ALWAYS).start()
    const port = await serve()
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await dial(port, { minVersion: version, maxVersion: version })
      expect(socket.getProtocol()).toBe(version)
      socket.destroy()
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(dial(port, old)).rejects.toBeDefined()
  })

  it('is changed under connections that stay', async () => {
    await initCertificates(order(100))
    await keep(ALWAYS).start()
    const port = await serve()
    const before = await dial(port)
    await renewCertificates({ ...order(200), names: [] })
    expect(await keeper.reload()).toBe(true)
    expect(await keeper.reload()).toBe(false)
    const after = await dial(port)
    expect(after.getPeerCertificate().serialNumber).not.toBe(before.getPeerCertificate().serialNumber)
    const echoed = once(before, 'data')
    before.write('still here')
    expect(String((await echoed)[0])).toBe('still here')
    for (const socket of [before, after]) socket.destroy()
  })

  it('is read again when its files change, and stays while they are broken', async () => {
    await initCertificates(order(100))
    await keep(ALWAYS).start()
    const first = keeper.notAfter
    const { cert } = ownTlsPaths(dataDir)
    const good = await readFile(cert)
    await writeFile(cert, 'half a certifi')
    for (let i = 0; i < 3; i++) await keeper.reload()
    expect(keeper.notAfter).toBe(first)
    expect(logged.filter(({ msg }) => msg === 'certificate not reloaded')).toHaveLength(1)
    await writeFile(cert, good)
    await renewCertificates({ ...order(200), names: [] })
    await clock.advance(10_000)
    await expect.poll(() => keeper.notAfter).toBeGreaterThan(first! + 90 * DAY_MS)
  })

  it('warns when it ends within thirty days, once a day', async () => {
    await initCertificates(order(40))
    await keep(ALWAYS).start()
    const warnings = () => logged.filter(({ level }) => level >= 40).map(({ msg }) => msg)
    const looked = () => expect.poll(() => clock.sleeping).toEqual([10_000])
    await looked()
    expect(warnings()).toEqual([])
    await clock.advance(11 * DAY_MS)
    await expect.poll(warnings).toEqual(['certificate expires soon'])
    for (let i = 0; i < 3; i++) {
      await looked()
      await clock.advance(10_000)
    }
    await looked()
    expect(warnings()).toHaveLength(1)
    await clock.advance(30 * DAY_MS)
    await expect.poll(warnings).toContain('certificate has expired: clients refuse it')
  })
})
