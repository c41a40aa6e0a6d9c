import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { fault, messageOf } from '@sightline/core'
import { fingerprintOf, ownTlsPaths, readPem } from './tls-files.ts'

/** Devices keep the authority for as long as they live. */
const AUTHORITY_DAYS = 3650
/** Below the 825 days beyond which Apple's clients refuse certificates of private authorities. */
export const SERVER_DAYS = 730

export interface CertificateFacts {
  readonly file: string
  readonly subject: string
  readonly names: readonly string[]
  /** Milliseconds since the epoch. */
  readonly notAfter: number
  /** SHA-256 of the DER bytes, hex. */
  readonly sha256: string
}

export interface CertificateOrder {
  readonly dataDir: string
  /** DNS names and IP addresses by which the hub is reached; none: those of this machine, or as before. */
  readonly names: readonly string[]
  readonly days: number
  readonly now: number
}

/** Only here: what makes certificates takes a third of a second to load, and every command would pay for it. */
const certificates = () => import('./certificate.ts')

/** Makes an authority and a server certificate, keys readable by their owner alone. @throws CERTS_EXIST, TLS_INVALID */
export async function initCertificates({ dataDir, names, days, now }: CertificateOrder): Promise<void> {
  const paths = ownTlsPaths(dataDir)
  const there = Object.values(paths).filter(path => existsSync(path))
  if (there.length > 0) throw fault('CERTS_EXIST', `${there.join(', ')}: nothing was changed`)
  const { createAuthority, createServerCertificate } = await certificates()
  const authority = await createAuthority({
    name: `Sightline ${hostname()}`.slice(0, 64),
    days: AUTHORITY_DAYS,
    now,
  })
  const server = await createServerCertificate({
    authority,
    names: names.length > 0 ? names : ownNames(),
    days,
    now,
  })
  await mkdir(dirname(paths.ca), { recursive: true, mode: 0o700 })
  await writePem(paths.caKey, authority.keyPem, 0o600)
  await writePem(paths.ca, authority.certPem, 0o644)
  await writePem(paths.key, server.keyPem, 0o600)
  await writePem(paths.cert, server.certPem, 0o644)
}

/** A new server certificate and key of the same authority. @throws TLS_MISSING, TLS_INVALID */
export async function renewCertificates({ dataDir, names, days, now }: CertificateOrder): Promise<void> {
  const paths = ownTlsPaths(dataDir)
  const authority = { certPem: await readPem(paths.ca), keyPem: await readPem(paths.caKey) }
  const kept = names.length > 0 ? names : factsOf(paths.cert, await readPem(paths.cert)).names
  const { createServerCertificate } = await certificates()
  const server = await createServerCertificate({ authority, names: kept, days, now })
  // A hub that reads between the two finds a pair that does not match, and keeps what it has.
  await writePem(paths.key, server.keyPem, 0o600)
  await writePem(paths.cert, server.certPem, 0o644)
}

/** Authority, then server. @throws TLS_MISSING, TLS_INVALID */
export async function showCertificates(dataDir: string): Promise<CertificateFacts[]> {
  const { ca, cert } = ownTlsPaths(dataDir)
  return [factsOf(ca, await readPem(ca)), factsOf(cert, await readPem(cert))]
}

export function factsOf(file: string, pem: string): CertificateFacts {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw fault('TLS_INVALID', `${file}: ${messageOf(cause)}`, { cause })
  }
  const names = (certificate.subjectAltName ?? '').split(', ').filter(name => name !== '')
  return {
    file,
    subject: certificate.subject,
    names: names.map(name => name.replace(/^(DNS|IP Address):/, '')),
    notAfter: Date.parse(certificate.validTo),
    sha256: fingerprintOf(certificate),
  }
}

function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
  return [...new Set([hostname(), 'localhost', '127.0.0.1', '::1', ...addresses])].slice(0, 50)
}

/** Whole or not at all. */
async function writePem(path: string, pem: string, mode: number): Promise<void> {
  const draft = `${path}.new`
  try {
    const file = await open(draft, 'w', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(`${pem.trimEnd()}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    throw fault('TLS_INVALID', `${path} cannot be written: ${messageOf(cause)}`, { cause })
  }
}
