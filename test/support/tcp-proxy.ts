import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What the network does to what goes through. */
export interface Weather {
  /** One way, in milliseconds. */
  readonly latencyMs: number
  /** Share of segments that are lost, 0 to 1. */
  readonly loss: number
  /** First wait before a lost segment is sent again; doubles with every further loss of it (RFC 6298, 5.5). */
  readonly retransmitMs: number
  /** A segment that is lost so often in a row takes its connection along (RFC 1122, 4.2.3.5). */
  readonly maxLosses: number
}

export const CLEAR: Weather = { latencyMs: 0, loss: 0, retransmitMs: 0, maxLosses: 8 }

/** Which way nothing gets through while the ends still believe in their connection. */
export type Partition = 'none' | 'to client' | 'both'

export interface ProxyOptions {
  readonly targetPort: number
  readonly weather?: Weather
  readonly random?: () => number
  /** Hears what clients send, chunk by chunk, before the weather. */
  readonly onClientBytes?: (chunk: Buffer, connection: number) => void
  /** The same of what the server sends. */
  readonly onServerBytes?: (chunk: Buffer, connection: number) => void
}

/**
 * A network between clients and one port. TCP hides loss: what an application sees of it are stalls, in order, and
 * connections that break. That is what this does.
 */
export class TcpProxy {
  weather: Weather
  readonly stats = { connections: 0, stalled: 0, broken: 0 }
  readonly #options: ProxyOptions
  readonly #random: () => number
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #partition: Partition = 'none'
  #healed: Promise<void> = Promise.resolve()
  #heal = () => {}

  constructor(options: ProxyOptions) {
    this.#options = options
    this.weather = options.weather ?? CLEAR
    this.#random = options.random ?? Math.random
    this.#server = createServer(client => this.#join(client))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  /** Lets nothing through any more; what is sent meanwhile arrives when the partition ends, if the ends wait for it. */
  split(partition: Partition): void {
    if (partition !== 'none' && this.#partition === 'none') {
      this.#healed = new Promise(resolve => {
        this.#heal = resolve
      })
    }
    this.#partition = partition
    if (partition === 'none') this.#heal()
  }

  /** Breaks every connection with a reset. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  async stop(): Promise<void> {
    this.split('none')
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  #join(client: Socket): void {
    const connection = this.stats.connections++
    const server = connect(this.#options.targetPort, '127.0.0.1')
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#pairs.delete(pair)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', chunk => this.#options.onClientBytes?.(chunk, connection))
    server.on('data', chunk => this.#options.onServerBytes?.(chunk, connection))
    this.#carry(client, server, 'to server')
    this.#carry(server, client, 'to client')
  }

  /** In order: a segment waits for those before it, as TCP's receiver makes it wait. */
  #carry(from: Socket, to: Socket, way: 'to server' | 'to client'): void {
    let last: Promise<void> = Promise.resolve()
    const inOrder = (work: () => Promise<void> | void) => {
      last = last.then(work)
    }
    from.on('data', (chunk: Buffer) => {
      const dueMs = performance.now() + this.weather.latencyMs + this.#stallMs()
      if (dueMs === Number.POSITIVE_INFINITY) {
        this.stats.broken++
        from.resetAndDestroy()
        to.resetAndDestroy()
        return
      }
      // One segment on its way at a time: a sender feels the back-pressure of a slow network.
      from.pause()
      inOrder(async () => {
        while (this.#partition === 'both' || (this.#partition === 'to client' && way === 'to client')) {
          await this.#healed
        }
        const waitMs = dueMs - performance.now()
        if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
        if (!to.destroyed) to.write(chunk)
        from.resume()
      })
    })
    from.on('end', () => inOrder(() => void to.end()))
  }

  /** Time until a segment that may be lost several times gets through; infinite when the connection gives up. */
  #stallMs(): number {
    const { loss, retransmitMs, maxLosses } = this.weather
    let stallMs = 0
    for (let losses = 0; this.#random() < loss; losses++) {
      if (losses === maxLosses) return Number.POSITIVE_INFINITY
      stallMs += retransmitMs * 2 ** losses
    }
    if (stallMs > 0) this.stats.stalled++
    return stallMs
  }
}
