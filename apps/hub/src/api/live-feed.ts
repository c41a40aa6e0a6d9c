import type { ServerResponse } from 'node:http'
import { fault } from '@sightline/core'
import { type LiveEvent, type LiveEvents, shownTo, type Watcher } from './live-events.ts'

const HEARTBEAT_MS = 15_000
/** An event, not a comment: of comments a page hears nothing, and by its silence it knows a line that died unnoticed. */
const ALIVE = 'event: alive\ndata: {}\n\n'
const RESYNC = 'event: resync\ndata: {}\n\n'
/** A reader this far behind is cut off; it reconnects and reads the present. */
const MAX_BACKLOG_BYTES = 1024 * 1024

/** Events that a browser which lost its connection can still get, see `attach`. */
const MAX_KEPT_EVENTS = 500
const MAX_KEPT_BYTES = 1024 * 1024
/** A browser comes back within seconds, or not at all. */
const KEEP_AFTER_LAST_MS = 60_000

interface KeptEvent {
  readonly id: number
  /** As those get it who see everything. */
  readonly text: string
  /** As he gets it; empty when it is not for him. */
  readonly textFor: (watcher: Watcher) => string
}

/** Fans events out to the browsers that watch, as server-sent events (WHATWG HTML, 9.2). */
export class LiveFeed {
  readonly #clients = new Map<ServerResponse, Watcher>()
  readonly #maxClients: number
  #heartbeat: NodeJS.Timeout | undefined
  /** Of this run of the hub: numbers of another say nothing here. */
  readonly #run = Date.now().toString(36)
  #kept: KeptEvent[] = []
  #keptBytes = 0
  #lastId = 0
  #lastLeft = Number.NEGATIVE_INFINITY
  dropped = 0

  constructor({ maxClients }: { maxClients: number }) {
    this.#maxClients = maxClients
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Whether somebody watches, or may come back for what was missed. */
  get wanted(): boolean {
    return this.clients > 0 || performance.now() - this.#lastLeft < KEEP_AFTER_LAST_MS
  }

  /**
   * Takes over a response whose headers are not yet sent. `lastEventId`: what the browser has seen; what came since then
   * follows at once, or an event `resync` when that is no longer known and the browser should read the present. @throws API_BUSY beyond the limit of watchers. */
  attach(
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    { lastEventId, ...watcher }: Watcher & { readonly lastEventId?: string | undefined },
  ): void {
    if (this.#clients.size >= this.#maxClients)
      throw fault('API_BUSY', `${this.#maxClients} live views are open`)
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write('retry: 2000\n\n')
    if (lastEventId !== undefined) response.write(this.#since(lastEventId, watcher))
    this.#clients.set(response, watcher)
    response.on('close', () => {
      this.#clients.delete(response)
      this.#lastLeft = performance.now()
    })
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  /** To those who may see it. */
  send<Kind extends LiveEvent>(event: Kind, data: LiveEvents[Kind]): void {
    if (!this.wanted) {
      // Whoever comes back later has missed this one.
      this.#lastId++
      this.#forget(0)
      return
    }
    const id = ++this.#lastId
    const text = this.#message(id, event, data)
    const textFor = (watcher: Watcher) => {
      const shown = shownTo(watcher, event, data)
      if (shown === undefined) return ''
      return shown === data ? text : this.#message(id, event, shown)
    }
    this.#kept.push({ id, text, textFor })
    this.#keptBytes += text.length
    this.#forget(MAX_KEPT_EVENTS)
    for (const [client, watcher] of this.#clients) this.#write(client, textFor(watcher))
  }

  /** Something that was told of is gone: whoever watches, or comes back, is to read the present. */
  resync(): void {
    this.#lastId++
    this.#forget(0)
    for (const client of this.#clients.keys()) this.#write(client, RESYNC)
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#clients.keys()) client.end()
    this.#clients.clear()
  }

  /** Whoever has been signed out meanwhile watches no longer. */
  #beat(): void {
    for (const [client, { holds }] of this.#clients) {
      if (holds()) this.#write(client, ALIVE)
      else client.end()
    }
  }

  #since(lastEventId: string, watcher: Watcher): string {
    const [run, number] = lastEventId.split('-')
    const seen = Number(number)
    const oldest = this.#kept[0]?.id ?? this.#lastId + 1
    if (run !== this.#run || !(seen >= oldest - 1 && seen <= this.#lastId)) return RESYNC
    return this.#kept
      .filter(({ id }) => id > seen)
      .map(({ textFor }) => textFor(watcher))
      .join('')
  }

  #forget(most: number): void {
    while (this.#kept.length > most || this.#keptBytes > MAX_KEPT_BYTES)
      this.#keptBytes -= this.#kept.shift()!.text.length
  }

  #message(id: number, event: LiveEvent, data: object): string {
    return `id: ${this.#run}-${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  }

  #write(client: ServerResponse, text: string): void {
    if (text === '') return
    if (client.writableLength > MAX_BACKLOG_BYTES) {
      this.dropped++
      client.destroy()
    } else client.write(text)
  }
}
