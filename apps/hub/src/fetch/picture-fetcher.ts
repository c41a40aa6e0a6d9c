import { lookup as systemLookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { fault, isFault, messageOf } from '@sightline/core'
import { AddressGuard } from './address-guard.ts'
import { parseNetwork, type SearchByUrlSettings } from './settings.ts'

const MAX_REDIRECTS = 3
/** Fetches at once, all people together. */
const MAX_FETCHES = 4
const MAX_URL = 2048
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** What a picture is sent as; what it is, the decoder finds out. */
const TYPES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/png',
  'image/webp',
  'application/octet-stream',
])
/** Below them only the web's own: nobody is to speak to a mail server through the hub. */
const FIRST_FREE_PORT = 1024
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443])

export interface ResolvedAddress {
  readonly address: string
  readonly family: number
}
/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>

export interface PictureFetcherOptions {
  readonly settings: SearchByUrlSettings
  /** Default: the system's resolver. */
  readonly resolve?: Resolve | undefined
}

/**
 * Fetches a picture from an address that somebody gave, from the public internet alone. A name is resolved once, all its
 * addresses must be permitted, and the connection goes to one of these: what the name resolves to a moment later does not
 * matter. The same holds for every redirect.
 */
export class PictureFetcher {
  readonly #settings: SearchByUrlSettings
  readonly #resolve: Resolve
  readonly #guard: AddressGuard
  #running = 0

  constructor({ settings, resolve = everyAddress }: PictureFetcherOptions) {
    this.#settings = settings
    this.#resolve = resolve
    this.#guard = new AddressGuard({ allow: settings.allow.flatMap(text => parseNetwork(text) ?? []) })
  }

  get enabled(): boolean {
    return this.#settings.enabled
  }

  /**
   * The bytes as they came; nothing of them was decoded.
   * @throws URL_SEARCH_OFF; URL_REFUSED for what is not http or https to a public address; URL_UNREACHABLE; URL_NO_PICTURE;
   * API_BUSY
   */
  async fetch(text: string): Promise<Buffer> {
    if (!this.enabled) throw fault('URL_SEARCH_OFF', 'this hub fetches no pictures')
    if (this.#running >= MAX_FETCHES) throw fault('API_BUSY', `${MAX_FETCHES} pictures are being fetched`)
    this.#running++
    try {
      return await this.#follow(text, AbortSignal.timeout(this.#settings.timeoutSeconds * 1000))
    } finally {
      this.#running--
    }
  }

  async #follow(text: string, signal: AbortSignal): Promise<Buffer> {
    let url = checkedUrl(text)
    for (let redirects = 0; ; redirects++) {
      const response = await this.#get(url, signal)
      const { statusCode = 0, headers } = response
      if (!REDIRECTS.has(statusCode)) return await this.#body(response, signal)
      response.destroy()
      if (headers.location === undefined) throw fault('URL_UNREACHABLE', `${statusCode} without a location`)
      if (redirects === MAX_REDIRECTS) throw fault('URL_REFUSED', `more than ${MAX_REDIRECTS} redirects`)
      const next = checkedUrl(headers.location, url)
      if (url.protocol === 'https:' && next.protocol !== 'https:')
        throw fault('URL_REFUSED', 'a redirect from https to http')
      url = next
    }
  }

  async #get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const addresses = await this.#permitted(url.hostname.replace(/^\[|\]$/g, ''), signal)
    // Whatever the connection asks for, it gets what was looked at; Node tries one after the other.
    const lookup: LookupFunction = (_hostname, { all }, done) => {
      const [first] = addresses
      if (all === true) done(null, [...addresses])
      else done(null, first!.address, first!.family)
    }
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        request(
          url,
          // Without an agent: no connection that somebody else opened, and no proxy.
          { agent: false, lookup, signal, headers: { accept: 'image/*', 'accept-encoding': 'identity' } },
          resolve,
        )
          .on('error', reject)
          .end()
      })
    } catch (cause) {
      throw this.#unreachable(cause, signal)
    }
  }

  /** All addresses of the host, when all are permitted. @throws URL_REFUSED, URL_UNREACHABLE */
  async #permitted(hostname: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const version = isIP(hostname)
    const addresses =
      version === 0 ? await this.#resolved(hostname, signal) : [{ address: hostname, family: version }]
    // One that is not would be one too many: a name that leads to both is made to confuse.
    if (!addresses.every(({ address }) => this.#guard.permits(address)))
      throw fault('URL_REFUSED', `${hostname} does not lie on the public internet`)
    return addresses
  }

  async #resolved(hostname: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    try {
      const addresses = await Promise.race([this.#resolve(hostname), late])
      if (addresses.length > 0) return addresses
    } catch (cause) {
      throw this.#unreachable(cause, signal)
    }
    throw fault('URL_UNREACHABLE', `${hostname} has no address`)
  }

  async #body(response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
    const { maxBytes } = this.#settings
    const { statusCode, headers } = response
    try {
      if (statusCode !== 200) throw fault('URL_UNREACHABLE', `the server answers ${statusCode}`)
      const type = /^[^;\s]*/.exec(headers['content-type'] ?? '')![0].toLowerCase()
      if (!TYPES.has(type)) throw fault('URL_NO_PICTURE', `it is sent as ${type.slice(0, 100) || 'nothing'}`)
      if ((headers['content-encoding'] ?? 'identity') !== 'identity')
        throw fault('URL_NO_PICTURE', 'it is compressed, though that was not asked for')
      const chunks: Buffer[] = []
      let bytes = Number(headers['content-length'] ?? 0)
      if (bytes > maxBytes) throw fault('URL_NO_PICTURE', `it has ${bytes} bytes, more than ${maxBytes}`)
      bytes = 0
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.byteLength
        if (bytes > maxBytes) throw fault('URL_NO_PICTURE', `it has more than ${maxBytes} bytes`)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    } catch (cause) {
      throw isFault(cause) ? cause : this.#unreachable(cause, signal)
    } finally {
      response.destroy()
    }
  }

  #unreachable(cause: unknown, signal: AbortSignal) {
    const why = signal.aborted ? `no picture within ${this.#settings.timeoutSeconds} s` : messageOf(cause)
    return fault('URL_UNREACHABLE', why, { cause })
  }
}

/** @throws URL_REFUSED */
function checkedUrl(text: string, base?: URL): URL {
  if (text.length > MAX_URL || !URL.canParse(text, base?.href))
    throw fault('URL_REFUSED', 'this is no address of a picture')
  const url = new URL(text, base)
  const { protocol, username, password, port } = url
  if (protocol !== 'http:' && protocol !== 'https:')
    throw fault('URL_REFUSED', `${protocol} is neither http nor https`)
  if (username !== '' || password !== '')
    throw fault('URL_REFUSED', 'an address with a user name or password')
  if (port !== '' && Number(port) < FIRST_FREE_PORT && !WEB_PORTS.has(Number(port)))
    throw fault('URL_REFUSED', `port ${port} is no web server's`)
  return url
}

function everyAddress(hostname: string): Promise<readonly ResolvedAddress[]> {
  return systemLookup(hostname, { all: true })
}
