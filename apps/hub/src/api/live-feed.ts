import type { ServerResponse } from 'node:http'
import { fault } from '@sightline/core'
import type { Caller } from '../auth/caller.ts'
import { limitNode, type nodeView } from './views.ts'

const HEARTBEAT_MS = 15_000
/** A reader this far behind is cut off; it reconnects and reads the present. */
const MAX_BACKLOG_BYTES = 1024 * 1024

export type LiveEvent = 'frame' | 'incident' | 'node'

type Watcher = Pick<Caller, 'scope' | 'holds'>

/** What an event is of: of a device, or of one of its cameras. */
interface Source {
  readonly site: string
  readonly node: string
  readonly camera?: string
}

/** Fans events out to the browsers that watch, as server-sent events (WHATWG HTML, 9.2). */
export class LiveFeed {
  readonly #clients = new Map<ServerResponse, Watcher>()
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
  attach(response: ServerResponse, headers: Readonly<Record<string, string>>, watcher: Watcher): void {
    if (this.#clients.size >= this.#maxClients)
      throw fault('API_BUSY', `${this.#maxClients} live views are open`)
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write('retry: 2000\n\n')
    this.#clients.set(response, watcher)
    response.on('close', () => this.#clients.delete(response))
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  /** To those who may see it. */
  send(event: LiveEvent, data: Source): void {
    if (this.#clients.size === 0) return
    const text = message(event, data)
    for (const [client, { scope }] of this.#clients) {
      if (!scope.limited) this.#write(client, text)
      else if (data.camera !== undefined) {
        if (scope.sees({ ...data, camera: data.camera })) this.#write(client, text)
      } else if (scope.seesNode(data))
        this.#write(client, message(event, limitNode(data as ReturnType<typeof nodeView>, scope)))
    }
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#clients.keys()) client.end()
    this.#clients.clear()
  }

  /** Whoever has been signed out meanwhile watches no longer. */
  #beat(): void {
    for (const [client, { holds }] of this.#clients) {
      if (holds()) this.#write(client, ': alive\n\n')
      else client.end()
    }
  }

  #write(client: ServerResponse, text: string): void {
    if (client.writableLength > MAX_BACKLOG_BYTES) {
      this.dropped++
      client.destroy()
    } else client.write(text)
  }
}

function message(event: LiveEvent, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
