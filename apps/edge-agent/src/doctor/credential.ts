import { X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { connect } from 'node:tls'
import { type Clock, type DeviceCredential, isFault, messageOf } from '@sightline/core'
import { credentialPath, readCredential } from '../enroll/credential.ts'
import type { Finding, Mark } from './finding.ts'

const DAY_MS = 86_400_000
const WARN_DAYS = 30
const TIMEOUT_MS = 5000

/** Whose credential the device has, and how long the certificates last. Never what it is. */
export async function examineCredential(dataDir: string, clock: Clock): Promise<Finding[]> {
  const base = { group: 'Hub', name: 'credential' } as const
  const path = credentialPath(dataDir)
  let credential: DeviceCredential | undefined
  try {
    credential = await readCredential(path)
  } catch (error) {
    const code = isFault(error) ? error.code : 'INTERNAL'
    const advice = isFault(error) ? { advice: error.remedy } : {}
    return [{ ...base, mark: 'fail', text: `${code}: ${messageOf(error)}`, ...advice, data: { code } }]
  }
  if (credential === undefined) return [{ ...base, mark: 'info', text: 'not enrolled' }]
  const { site, node, hubUrl, issuedAt, ca } = credential
  const readable = ((await stat(path)).mode & 0o077) !== 0
  const since = new Date(issuedAt).toISOString().slice(0, 10)
  const own: Finding = {
    ...base,
    mark: readable ? 'warn' : 'ok',
    text: `${site}/${node} at ${hubUrl}, since ${since}${readable ? ' · others may read the file' : ''}`,
    ...(readable ? { advice: `chmod 600 ${path}` } : {}),
    data: { site, node, hubUrl, issuedAt },
  }
  const authority = ca === null ? [] : [expiry('authority', new X509Certificate(ca).validTo, clock)]
  const url = new URL(hubUrl)
  const server = url.protocol === 'https:' ? [await serverCertificate(url, ca, clock)] : []
  return [own, ...authority, ...server]
}

function serverCertificate(url: URL, ca: string | null, clock: Clock): Promise<Finding> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return new Promise(resolve => {
    const socket = connect({
      host,
      port: url.port === '' ? 443 : Number(url.port),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      ...(ca === null ? {} : { ca }),
    })
    const failed = (reason: string) => {
      socket.destroy()
      const advice = 'Check that the hub runs, and its certificate; sightline-hub certs init makes a new one.'
      resolve({ group: 'Hub', name: 'certificate', mark: 'fail', text: `${url.host}: ${reason}`, advice })
    }
    socket.setTimeout(TIMEOUT_MS, () => failed(`silent for ${TIMEOUT_MS / 1000} s`))
    socket.once('error', error => failed(messageOf(error)))
    socket.once('secureConnect', () => {
      resolve(expiry('certificate', socket.getPeerCertificate().valid_to, clock))
      socket.destroy()
    })
  })
}

function expiry(name: string, validTo: string, clock: Clock): Finding {
  const days = Math.floor((Date.parse(validTo) - clock.now()) / DAY_MS)
  const mark: Mark = days < 0 ? 'fail' : days < WARN_DAYS ? 'warn' : 'ok'
  const advice =
    mark === 'ok'
      ? {}
      : {
          advice:
            'Renew the certificate of the hub; the device need not be enrolled again while its authority stays.',
        }
  return {
    group: 'Hub',
    name,
    mark,
    text: days < 0 ? `expired ${-days} days ago` : `valid for ${days} days`,
    ...advice,
    data: { validTo: new Date(Date.parse(validTo)).toISOString(), days },
  }
}
