import { fault, messageOf } from '@sightline/core/errors.js'
import { pullFailed } from './source.ts'

const MAX_REDIRECTS = 5
const MAX_RETRY_AFTER_MS = 120_000

export interface HttpOptions {
  /** Silence after which a request counts as broken. */
  readonly idleMs: number
  /** In place of the built-in one: for a server with a certificate authority of its own, or a sign-in. */
  readonly fetch?: FetchLike | undefined
}

/** The part of `fetch` that is used here. Must not follow redirects. */
export type FetchLike = (
  url: URL,
  init: {
    readonly headers: Readonly<Record<string, string>>
    readonly signal: AbortSignal
    readonly redirect: 'manual'
  },
) => Promise<Response>

export interface HttpRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /** Ends with MODEL_PULL_FAILED when the connection breaks or falls silent. */
  readonly body: AsyncIterable<Uint8Array>
  /** Headers of every hop, the last one first. */
  readonly hops: readonly Headers[]
  close(): void
}

/**
 * GET over https, or over http where the first URL already said so: a redirect never leads from https to http. Error
 * statuses are thrown, but for 416.
 * @throws MODEL_PULL_FAILED, MODEL_SOURCE_REFUSED
 */
export async function httpGet(
  start: URL,
  request: HttpRequest,
  { idleMs, fetch: fetchUrl = fetch }: HttpOptions,
): Promise<HttpAnswer> {
  const hops: Headers[] = []
  for (let url = start; ; ) {
    const abort = new AbortController()
    const silence = setTimeout(() => abort.abort(), idleMs)
    const signal = request.signal ? AbortSignal.any([abort.signal, request.signal]) : abort.signal
    const broken = (cause: unknown) => {
      clearTimeout(silence)
      // The caller's own wish to stop is not a failure of the network.
      if (request.signal?.aborted) return request.signal.reason
      const why = abort.signal.aborted ? `silent for ${idleMs / 1000} s` : reasonOf(cause)
      return pullFailed(`${url.origin}${url.pathname}: ${why}`, { retry: true, cause })
    }
    let response: Response
    try {
      response = await fetchUrl(url, {
        redirect: 'manual',
        signal,
        // A coded body would have other sizes and ranges than the file.
        headers: { 'accept-encoding': 'identity', 'user-agent': 'sightline-models', ...request.headers },
      })
    } catch (cause) {
      throw broken(cause)
    }
    hops.unshift(response.headers)
    const target = redirectOf(response, url)
    if (target) {
      clearTimeout(silence)
      await response.body?.cancel().catch(() => undefined)
      if (hops.length > MAX_REDIRECTS) {
        throw pullFailed(`${start.href}: more than ${MAX_REDIRECTS} redirects`, { retry: false })
      }
      refuseDowngrade(url, target)
      url = target
      continue
    }
    if (!response.ok && response.status !== 416) {
      clearTimeout(silence)
      await response.body?.cancel().catch(() => undefined)
      throw statusFault(url, response)
    }
    const close = () => {
      clearTimeout(silence)
      abort.abort()
    }
    return {
      status: response.status,
      headers: response.headers,
      hops,
      body: watched(response, silence, broken),
      close,
    }
  }
}

async function* watched(
  response: Response,
  silence: NodeJS.Timeout,
  broken: (cause: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) {
      silence.refresh()
      yield chunk
    }
  } catch (cause) {
    throw broken(cause)
  } finally {
    clearTimeout(silence)
  }
}

function redirectOf(response: Response, url: URL): URL | undefined {
  const location = response.headers.get('location')
  if (![301, 302, 303, 307, 308].includes(response.status) || !location) return undefined
  try {
    return new URL(location, url)
  } catch (cause) {
    throw pullFailed(`${url.href} redirects to "${location}"`, { retry: false, cause })
  }
}

function refuseDowngrade(from: URL, to: URL): void {
  if (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) return
  throw fault(
    'MODEL_SOURCE_REFUSED',
    `${from.origin} redirects to ${to.protocol}//${to.host}: only https is followed`,
  )
}

function statusFault(url: URL, response: Response) {
  const { status } = response
  const retry = status >= 500 || status === 408 || status === 429
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfterMs = seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined
  const hint = status === 401 || status === 403 ? ' (the repository may be private, gated or gone)' : ''
  return pullFailed(`${url.origin}${url.pathname} answers ${status}${hint}`, { retry, retryAfterMs })
}

/** undici says "fetch failed" and hides what happened in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown }
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
}

/**
 * A base URL that a person gave. http is allowed here, because a person chose it: a hub in a closed network has no certificate.
 * @throws MODEL_SOURCE_REFUSED
 */
export function mirrorUrl(text: string): URL {
  let url: URL
  try {
    url = new URL(text.endsWith('/') ? text : `${text}/`)
  } catch (cause) {
    throw fault('MODEL_SOURCE_REFUSED', `"${text}" is not a URL`, { cause })
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw fault('MODEL_SOURCE_REFUSED', `a mirror is an http or https URL, not ${url.protocol}`)
  }
  if (url.username || url.password || url.search || url.hash) {
    throw fault('MODEL_SOURCE_REFUSED', 'a mirror URL has no user name, password, query or fragment')
  }
  return url
}
