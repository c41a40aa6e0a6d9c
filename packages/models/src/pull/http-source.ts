import type { Source } from '../registry/schema.ts'
import { type HttpAnswer, type HttpOptions, httpGet } from './http.ts'
import { type FileSource, type OpenedFile, type OpenOptions, pullFailed } from './source.ts'

const HUGGING_FACE = new URL('https://huggingface.co/')
const COMMIT = /^[0-9a-f]{40}$/

/** Builds the URL of a file; `revision` is the commit in use, once known. */
export type UrlOf = (path: string, revision: string | undefined) => URL

/** Files over HTTP, from byte N on where the server can do that. */
export class HttpSource implements FileSource {
  readonly label: string
  #revision: string | undefined
  readonly #urlOf: UrlOf
  readonly #http: HttpOptions

  constructor({
    label,
    urlOf,
    revision,
    http,
  }: { label: string; urlOf: UrlOf; revision?: string | undefined; http: HttpOptions }) {
    this.label = label
    this.#urlOf = urlOf
    this.#revision = revision
    this.#http = http
  }

  get revision(): string | undefined {
    return this.#revision
  }

  async open(path: string, { from, ifRange, signal }: OpenOptions): Promise<OpenedFile> {
    const url = this.#urlOf(path, this.#revision)
    const headers: Record<string, string> = {}
    if (from > 0) {
      headers.range = `bytes=${from}-`
      if (ifRange) headers['if-range'] = ifRange
    }
    const answer = await httpGet(url, { headers, signal }, this.#http)
    // All files of one pull come from one commit, also when somebody pushes meanwhile.
    const commit = answer.hops.map(hop => hop.get('x-repo-commit') ?? '').find(value => COMMIT.test(value))
    if (commit) this.#revision ??= commit
    const etag = strongEtag(answer)
    const { close } = answer
    if (answer.status === 416) {
      close()
      const total = Number(
        /^bytes \*\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1] ?? Number.NaN,
      )
      // Asked for what follows the last byte: all is there already.
      if (total === from) return { body: empty(), start: from, totalBytes: total, etag, close }
      if (from === 0) throw pullFailed(`${url.href} answers 416 to a request for all of it`, { retry: false })
      return await this.open(path, { from: 0, signal })
    }
    const start = answer.status === 206 ? startOf(answer, url) : 0
    return { body: answer.body, start, totalBytes: totalOf(answer), etag, close }
  }
}

/** The source that a registry entry names, or its like under another base URL. */
export function sourceOf(
  source: Source,
  { mirror, pinned, http }: { mirror: URL | undefined; pinned: string | undefined; http: HttpOptions },
): HttpSource {
  if (source.kind === 'https') {
    const base = mirror ?? new URL(`${source.base.replace(/\/$/, '')}/`)
    return new HttpSource({ label: base.href, urlOf: path => new URL(path, base), http })
  }
  const base = mirror ?? HUGGING_FACE
  const { repo } = source
  return new HttpSource({
    label: `${base.href}${repo}`,
    revision: COMMIT.test(source.revision) ? source.revision : pinned,
    urlOf: (path, revision) => new URL(`${repo}/resolve/${revision ?? source.revision}/${path}`, base),
    http,
  })
}

function startOf({ headers }: HttpAnswer, url: URL): number {
  const match = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(headers.get('content-range') ?? '')
  if (match) return Number(match[1])
  throw pullFailed(`${url.href} answers 206 without saying which part`, { retry: false })
}

function totalOf({ status, headers }: HttpAnswer): number | undefined {
  const text =
    status === 206 ? /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] : headers.get('content-length')
  return text == null ? undefined : Number(text)
}

/** RFC 9110, 13.1.5: a weak ETag must not be used to resume. */
function strongEtag({ headers }: HttpAnswer): string | undefined {
  const etag = headers.get('etag')
  return etag && /^"[^"]*"$/.test(etag) ? etag : undefined
}

async function* empty(): AsyncGenerator<Uint8Array> {}
