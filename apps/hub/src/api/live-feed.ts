import type { ServerResponse } from 'node:http'
import { fault } from '@sightline/core'

const HEARTBEAT_MS = 15_000
/** A reader this far behind is cut off; it reconnects and reads the present. */
const MAX_BACKLOG_BYTES = 1024 * 1024

export type LiveEvent = 'frame' | 'incident' | 'node' | 'reply' | 'config'

/** Fans events out to the browsers that watch, as server-sent events (WHATWG HTML, 9.2). */
export class LiveFeed {
  readonly #clients = new Set<ServerResponse>()
  readonly #maxClients: number
  #heartbeat: NodeJS.Timeout | undefined
  dropped = 0

  constructor({ maxClients }: { maxClients: number }) {
    this.#maxClients = maxClients
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Takes over a response whose headers are not yet sent. @throws API_BUSY beyond the limit of watchers. */
  attach(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    if (this.#clients.size >= this.#maxClients)
      throw fault('API_BUSY', `${this.#maxClients} live views are open`)
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write('retry: 2000\n\n')
    this.#clients.add(response)
    response.on('close', () => this.#clients.delete(response))
    this.#heartbeat ??= setInterval(() => this.#write(': alive\n\n'), HEARTBEAT_MS).unref()
  }

  send(event: LiveEvent, data: unknown): void {
    if (this.#clients.size > 0) this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#clients) client.end()
    this.#clients.clear()
  }

  #write(text: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > MAX_BACKLOG_BYTES) {
        this.dropped++
        client.destroy()
      } else client.write(text)
    }
  }
}
