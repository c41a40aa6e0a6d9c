import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { sha256 } from '../store/tiny-models.ts'

export interface Behaviour {
  /** Default true. */
  readonly ranges?: boolean
  /** Strong ETag from the content; default true. */
  readonly etag?: boolean
  /** Content-Length; default true. Without it the body is chunked. */
  readonly length?: boolean
  /** Breaks the connection after so many bytes of the body, or goes on forever. */
  readonly breakAfter?: (path: string, attempt: number) => number | undefined
  /** Awaited before the connection is broken: bytes that the other side has not read are lost with it. */
  readonly beforeBreak?: (path: string, sentUpTo: number) => Promise<unknown>
  /** Sends nothing more after so many bytes, but keeps the connection. */
  readonly stallAfter?: (path: string, attempt: number) => number | undefined
  /** Answers in place of the file. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, attempt: number) => boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** A web server for the files of a model under `/<prefix>/<path>`, which misbehaves as told. */
export class FileServer {
  readonly requests: {
    readonly path: string
    readonly range: string | undefined
    readonly ifRange: string | undefined
  }[] = []
  files: Record<string, Buffer>
  behaviour: Behaviour
  readonly #server: Server
  readonly #attempts = new Map<string, number>()

  constructor(files: Record<string, Buffer>, behaviour: Behaviour = {}) {
    this.files = files
    this.behaviour = behaviour
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Bytes asked for, by path without the prefix. */
  rangesOf(path: string): (string | undefined)[] {
    return this.requests.filter(request => request.path === path).map(({ range }) => range)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const whole = decodeURIComponent(new URL(request.url!, this.url).pathname)
    const path = Object.keys(this.files).find(name => whole.endsWith(`/${name}`)) ?? whole
    const attempt = this.#attempts.get(path) ?? 0
    this.#attempts.set(path, attempt + 1)
    this.requests.push({
      path,
      range: request.headers.range,
      ifRange: request.headers['if-range'] as string | undefined,
    })
    const {
      ranges = true,
      etag = true,
      length = true,
      breakAfter,
      stallAfter,
      intercept,
      headers,
    } = this.behaviour
    if (intercept?.(request, response, attempt)) return
    const content = this.files[path]
    if (!content) {
      response.writeHead(404).end('not here')
      return
    }
    const tag = `"${sha256(content).slice(0, 16)}"`
    const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const fresh = request.headers['if-range'] === undefined || request.headers['if-range'] === tag
    const from = ranges && fresh && match ? Number(match[1]) : 0
    if (from > 0 && from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
      return
    }
    const body = content.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, {
      ...(etag ? { etag: tag } : {}),
      ...(length ? { 'content-length': body.length } : {}),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
      ...headers,
    })
    const cut = breakAfter?.(path, attempt)
    const stall = stallAfter?.(path, attempt)
    if (cut !== undefined) {
      response.write(body.subarray(0, cut))
      void Promise.resolve(this.behaviour.beforeBreak?.(path, from + cut)).finally(() => response.destroy())
    } else if (stall !== undefined) response.write(body.subarray(0, stall))
    else response.end(body)
  }
}

/** A port that refuses connections. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const probe = connect(port, '127.0.0.1')
  await new Promise<void>(resolve => probe.once('error', () => resolve()))
  return port
}
