import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initCertificates, renewCertificates, showCertificates } from '@sightline/hub/tls/own-certificates.js'
import { ownTlsPaths, readTlsMaterial } from '@sightline/hub/tls/tls-files.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const DAY_MS = 86_400_000
const NAMES = ['hub.example', '192.0.2.7', '::1']
const now = Date.now()

let dataDir = ''
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'certs-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

const init = () => initCertificates({ dataDir, names: NAMES, days: 100, now })
const read = async (path: string) => new X509Certificate(await readFile(path))

describe('certificates of the hub itself', () => {
  it('are an authority and a server certificate for the names asked for', async () => {
    await init()
    const paths = ownTlsPaths(dataDir)
    const [ca, server] = [await read(paths.ca), await read(paths.cert)]
    expect(ca.ca).toBe(true)
    expect(server.ca).toBe(false)
    expect(server.verify(ca.publicKey)).toBe(true)
    expect(server.checkIssued(ca)).toBe(true)
    expect(server.checkHost('hub.example')).toBe('hub.example')
    expect(server.checkIP('192.0.2.7')).toBe('192.0.2.7')
    expect(server.checkHost('other.example')).toBeUndefined()
    expect(server.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    const [shownCa, shown] = await showCertificates(dataDir)
    expect(shown!.names).toEqual(['hub.example', '192.0.2.7', '0:0:0:0:0:0:0:1'])
    expect(Math.round((shown!.notAfter - now) / DAY_MS)).toBe(100)
    expect(shownCa!.sha256).toBe(ca.fingerprint256.replaceAll(':', '').toLowerCase())
  })

  it('have keys that nobody else reads', async () => {
    await init()
    const { caKey, key, ca } = ownTlsPaths(dataDir)
    for (const path of [caKey, key]) expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(ca, '..'))).mode & 0o777).toBe(0o700)
  })

  it('are never overwritten', async () => {
    await init()
    const before = await readFile(ownTlsPaths(dataDir).ca)
    await expect(init()).rejects.toMatchObject({ code: 'CERTS_EXIST' })
    expect(await readFile(ownTlsPaths(dataDir).ca)).toEqual(before)
  })

  it('are renewed by the same authority, for the same names unless told otherwise', async () => {
    await init()
    const paths = ownTlsPaths(dataDir)
    const [ca, old] = [await read(paths.ca), await read(paths.cert)]
    await renewCertificates({ dataDir, names: [], days: 200, now })
    const server = await read(paths.cert)
    expect((await read(paths.ca)).raw).toEqual(ca.raw)
    expect(server.verify(ca.publicKey)).toBe(true)
    expect(server.serialNumber).not.toBe(old.serialNumber)
    expect((await showCertificates(dataDir))[1]!.names).toHaveLength(3)
    await renewCertificates({ dataDir, names: ['new.example'], days: 200, now })
    expect((await showCertificates(dataDir))[1]!.names).toEqual(['new.example'])
  })

  it('say what is missing', async () => {
    for (const act of [
      () => renewCertificates({ dataDir, names: [], days: 1, now }),
      () => showCertificates(dataDir),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'TLS_MISSING' })
  })
})

describe('certificate files', () => {
  it('are served with their authority, so that a device may recognise it', async () => {
    await init()
    const { cert, key, ca } = ownTlsPaths(dataDir)
    const material = await readTlsMaterial({ cert, key, ca })
    expect(material.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(material.authority?.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it('are refused when they do not belong together', async () => {
    await init()
    const { cert, key, ca, caKey } = ownTlsPaths(dataDir)
    const other = await mkdtemp(join(tmpdir(), 'certs-'))
    await initCertificates({ dataDir: other, names: ['x'], days: 1, now })
    for (const paths of [
      { cert, key: caKey, ca },
      { cert, key, ca: ownTlsPaths(other).ca },
      { cert, key, ca: cert },
      { cert: key, key, ca },
      { cert, key: cert, ca },
    ])
      await expect(readTlsMaterial(paths)).rejects.toMatchObject({ code: 'TLS_INVALID' })
    const gone = join(other, 'gone.pem')
    await expect(readTlsMaterial({ cert: gone, key, ca })).rejects.toMatchObject({ code: 'TLS_MISSING' })
    await rm(other, { recursive: true })
  })
})
