import { createHash, X509Certificate } from 'node:crypto'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { fault, messageOf } from '@sightline/core'

const TIMEOUT_MS = 15_000
/** Longer chains are nobody's. */
const MAX_CHAIN = 10

/**
 * Fetches the chain of a server and gives back, as PEM, the one certificate in it that has this SHA-256 and is an
 * authority. Nothing is sent over this connection, for nobody has been recognised yet.
 * @throws ENROLL_CA_MISMATCH, HUB_UNREACHABLE
 */
export async function pinnedCa(hub: URL, sha256: string): Promise<string> {
  const chain = await chainOf(hub)
  const found = chain.find(raw => createHash('sha256').update(raw).digest('hex') === sha256)
  if (found === undefined || !new X509Certificate(found).ca) {
    throw fault(
      'ENROLL_CA_MISMATCH',
      `${hub.host} does not show the certificate authority that the token names`,
      { details: { expected: sha256 } },
    )
  }
  return new X509Certificate(found).toString()
}

function chainOf(hub: URL): Promise<Buffer[]> {
  const host = hub.hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const failed = (reason: string, cause?: unknown) => {
      socket.destroy()
      reject(fault('HUB_UNREACHABLE', `${hub.host}: ${reason}`, { cause }))
    }
    const socket = connect({
      host,
      port: hub.port === '' ? 443 : Number(hub.port),
      // RFC 6066, 3: a server name is never an address.
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      // The chain is judged below, by the token's own hash.
      rejectUnauthorized: false,
    })
    socket.setTimeout(TIMEOUT_MS, () => failed(`silent for ${TIMEOUT_MS / 1000} s`))
    socket.once('error', error => failed(messageOf(error), error))
    socket.once('secureConnect', () => {
      const chain: Buffer[] = []
      let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
      while (certificate?.raw !== undefined && chain.length < MAX_CHAIN) {
        chain.push(certificate.raw)
        // A root names itself as its issuer.
        const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate
        certificate = issuer === certificate ? undefined : issuer
      }
      socket.destroy()
      resolve(chain)
    })
  })
}
