import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fault, type Log, messageOf, type Service } from '@sightline/core'
import type { MetricsPage } from './metrics-page.ts'
import type { Reading } from './reading.ts'

const REQUEST_TIMEOUT_MS = 10_000
const MAX_CONNECTIONS = 32
const MAX_HEADER_BYTES = 8192

export interface StatusServerOptions {
  /** Without a port nothing listens. */
  readonly settings: { readonly host: string; readonly port?: number | undefined }
  readonly page: Pick<MetricsPage, 'text' | 'contentType'>
  readonly read: () => Reading
  readonly log: Log
}

/**
 * `/healthz`, `/readyz` and `/metrics` of a device. It can be read and nothing else: no secrets, no pictures, no bodies.
 */
export class StatusServer implements Service {
  readonly name = 'status server'
  readonly #options: StatusServerOptions
  #server: Server | undefined

  constructor(options: StatusServerOptions) {
    this.#options = options
  }

  /** 0 while nothing listens. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0
  }

  /** @throws PORT_IN_USE */
  async start(): Promise<void> {
    const { settings, log } = this.#options
    const { host, port } = settings
    if (port === undefined) return
    const server = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
    server.maxConnections = MAX_CONNECTIONS
    server.on('request', (request, reply) => {
      this.#answer(request, reply).catch(err => {
        log.error({ err }, 'status request failed')
        if (!reply.headersSent) reply.writeHead(500)
        reply.end()
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', cause =>
        reject(
          fault('PORT_IN_USE', `http.port: ${host}:${port} cannot be listened on: ${messageOf(cause)}`, {
            cause,
          }),
        ),
      )
      server.listen(port, host, resolve)
    })
    this.#server = server
    log.info({ host, port: this.port }, 'status server listens')
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise(resolve => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  async #answer({ method, url = '' }: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { page, read } = this.#options
    const send = (status: number, body: string, contentType = 'application/json') => {
      reply.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' })
      reply.end(method === 'HEAD' ? undefined : body)
    }
    if (method !== 'GET' && method !== 'HEAD') return send(405, '{"status":"GET only"}')
    switch (url.split('?', 1)[0]) {
      case '/healthz':
        return send(200, '{"status":"ok"}')
      case '/readyz': {
        const { modelReady, starting, online, cameras } = read()
        const failed = cameras.filter(({ status }) => status === 'failed').length
        const body = {
          status: modelReady ? 'ready' : 'starting',
          starting,
          online,
          cameras: cameras.length,
          failed,
        }
        return send(modelReady ? 200 : 503, JSON.stringify(body))
      }
      case '/metrics':
        return send(200, await page.text(), page.contentType)
      default:
        return send(404, '{"status":"not found"}')
    }
  }
}
