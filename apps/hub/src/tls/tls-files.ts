import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fault, messageOf } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import { speaksTls } from './exposure.ts'

/** What a hub shows of itself over TLS. */
export interface TlsMaterial {
  /** Certificate, its chain and, where it is the hub's own, its authority; PEM. */
  readonly cert: string
  readonly key: string
  readonly leaf: X509Certificate
  readonly authority: Authority | null
}

/** An authority that devices have to be told of. */
export interface Authority {
  readonly pem: string
  /** Of the certificate's DER bytes, hex. */
  readonly sha256: string
  readonly certificate: X509Certificate
}

export interface TlsPaths {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
}

/** Where `certs init` puts what it makes. */
export function ownTlsPaths(dataDir: string): { ca: string; caKey: string; cert: string; key: string } {
  const dir = join(dataDir, 'tls')
  return {
    ca: join(dir, 'ca.pem'),
    caKey: join(dir, 'ca-key.pem'),
    cert: join(dir, 'server.pem'),
    key: join(dir, 'server-key.pem'),
  }
}

export function tlsPaths({ certFile, keyFile, caFile }: HubSettings['tls'], dataDir: string): TlsPaths {
  if (certFile !== undefined && keyFile !== undefined) return { cert: certFile, key: keyFile, ca: caFile }
  const { ca, cert, key } = ownTlsPaths(dataDir)
  return { cert, key, ca: caFile ?? ca }
}

/** @throws TLS_MISSING when a file is not there, TLS_INVALID when they do not serve */
export async function readTlsMaterial(paths: TlsPaths): Promise<TlsMaterial> {
  const [cert, key] = await Promise.all([readPem(paths.cert), readPem(paths.key)])
  const authority = paths.ca === undefined ? null : await readAuthority(paths.ca)
  const leaf = parse(paths.cert, () => new X509Certificate(cert))
  const secret = parse(paths.key, () => createPrivateKey(key))
  if (!leaf.checkPrivateKey(secret))
    throw fault('TLS_INVALID', `${paths.key} is not the key of ${paths.cert}`)
  if (authority !== null && isIssuer(authority.certificate, leaf) === false)
    throw fault('TLS_INVALID', `${paths.ca} has not signed ${paths.cert}, nor what that was signed by`)
  return { cert: withAuthority(cert, authority), key, leaf, authority }

  /** Undefined where intermediates stand between: the clients will tell. */
  function isIssuer(ca: X509Certificate, server: X509Certificate): boolean | undefined {
    const intermediates = cert.split('-----BEGIN CERTIFICATE-----').length > 2
    return server.verify(ca.publicKey) || (intermediates ? undefined : false)
  }
}

/** @throws TLS_MISSING, TLS_INVALID */
export async function readAuthority(path: string): Promise<Authority> {
  const pem = await readPem(path)
  const certificate = parse(path, () => new X509Certificate(pem))
  if (!certificate.ca) throw fault('TLS_INVALID', `${path} holds no certificate authority`)
  // Of several only the first: a token has room for one hash.
  return { pem: certificate.toString(), sha256: fingerprintOf(certificate), certificate }
}

/** What devices are to trust, where the hub's listeners or the proxy in front of it need telling. */
export async function authorityOf(settings: HubSettings, dataDir: string): Promise<Authority | null> {
  const { tls, http } = settings
  if (tls.terminated) return tls.caFile === undefined ? null : await readAuthority(tls.caFile)
  if (!speaksTls(tls, http.host)) return null
  return (await readTlsMaterial(tlsPaths(tls, dataDir))).authority
}

/** SHA-256 of the DER bytes, hex. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
}

/**
 * A device that enrols recognises the authority by its hash, so the server has to show it, although TLS lets it leave the
 * root out (RFC 8446, 4.4.2).
 */
function withAuthority(cert: string, authority: Authority | null): string {
  if (authority === null) return cert
  const bare = (pem: string) => pem.replace(/\s/g, '')
  return bare(cert).includes(bare(authority.pem)) ? cert : `${cert.trimEnd()}\n${authority.pem}`
}

/** @throws TLS_MISSING, TLS_INVALID */
export async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw fault('TLS_MISSING', `there is no ${path}`, { cause })
    throw fault('TLS_INVALID', `${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function parse<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw fault('TLS_INVALID', `${path}: ${messageOf(cause)}`, { cause })
  }
}
