import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import { type DeviceCredential, ERRORS, type ErrorCode, fault, isFault, messageOf } from '@sightline/core'

const TIMEOUT_MS = 30_000
const MAX_ANSWER_BYTES = 1024 * 1024

/** The part of `fetch` that is used with a hub. */
export type HubFetch = (
  url: URL,
  init: {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    readonly signal?: AbortSignal
  },
) => Promise<Response>

/** `fetch` for a hub with a certificate authority of its own, which the built-in one cannot be given. Follows no redirect. */
export function fetchWith(ca: string | null): HubFetch {
  return (url, { method = 'GET', headers = {}, body, signal }) =>
    new Promise((resolve, reject) => {
      const options = { method, headers, ...(signal === undefined ? {} : { signal }) }
      const request =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, ...(ca === null ? {} : { ca }) })
          : httpRequest(url, options)
      request.once('error', reject)
      request.once('response', answer => {
        const entries = Object.entries(answer.headersDistinct).flatMap(([name, values]) =>
          (values ?? []).map((value): [string, string] => [name, value]),
        )
        const status = answer.statusCode ?? 502
        const empty = method === 'HEAD' || [204, 205, 304].includes(status)
        resolve(
          new Response(empty ? null : (Readable.toWeb(answer) as ReadableStream), {
            status,
            headers: entries,
          }),
        )
      })
      request.end(body)
    })
}

/** With the credential's authority and, towards its own hub alone, its secret. */
export function fetchAs(credential: DeviceCredential): HubFetch {
  const fetchHub = fetchWith(credential.ca)
  const { origin } = new URL(credential.hubUrl)
  return (url, init) =>
    fetchHub(url, {
      ...init,
      headers: { ...init.headers, ...(url.origin === origin ? { authorization: basic(credential) } : {}) },
    })
}

/** RFC 7617. */
export function basic({ site, node, secret }: DeviceCredential): string {
  return `Basic ${Buffer.from(`${site}~${node}:${secret}`).toString('base64')}`
}

/**
 * Posts JSON and reads JSON.
 * @throws HUB_UNREACHABLE; a refusal comes with the hub's own code where this agent knows it, else with `refusal`
 */
export async function postJson(
  { url, body, refusal }: { url: URL; body: unknown; refusal: ErrorCode },
  fetchHub: HubFetch,
): Promise<unknown> {
  let response: Response
  let text: string
  try {
    response = await fetchHub(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    text = await bounded(response)
  } catch (cause) {
    if (isFault(cause)) throw cause
    throw fault('HUB_UNREACHABLE', `${url.origin}: ${messageOf(cause)}`, { cause })
  }
  const value = parsed(text)
  if (response.ok) return value
  const { error } = (value ?? {}) as { error?: { code?: unknown; message?: unknown } }
  const known = typeof error?.code === 'string' && Object.hasOwn(ERRORS, error.code)
  const message = typeof error?.message === 'string' ? error.message : `the hub answers ${response.status}`
  // A proxy that is down is no refusal.
  const code = known ? (error.code as ErrorCode) : response.status >= 500 ? 'HUB_UNREACHABLE' : refusal
  throw fault(code, message, { details: { status: response.status } })
}

/** @throws CONFIG_INVALID unless the address is https, or http on this very machine */
export function hubAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw fault('CONFIG_INVALID', `${JSON.stringify(text)} is not the http(s) address of a hub`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw fault('CONFIG_INVALID', 'the address of a hub has no user name, password, query or fragment')
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw fault('CONFIG_INVALID', `${url.origin}: a token goes over https, or to this machine`)
  return url
}

/** An address below the hub's, whatever path the hub lies under. */
export function hubPath(hub: string | URL, path: string): URL {
  const base = String(hub)
  return new URL(path, base.endsWith('/') ? base : `${base}/`)
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.')) || host === '::1'
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_ANSWER_BYTES) throw fault('PAYLOAD_INVALID', 'the answer of the hub is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
