import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Clock } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import type { BrokerStats } from './broker-link.ts'
import { PacketDeadline } from './packet-deadline.ts'
import { PacketGuard } from './packet-guard.ts'
import { TokenBucket } from './token-bucket.ts'

/** What a connection was held to, as it is counted. */
export type ConnectionLimit = keyof Pick<BrokerStats, 'oversize' | 'packetTimeouts' | 'throttled'>

export interface GuardedSocketOptions {
  readonly socket: Socket
  readonly limits: Pick<
    HubSettings['mqtt'],
    'maxPacketBytes' | 'packetTimeoutSeconds' | 'maxMessagesPerSecond'
  >
  readonly clock: Clock
  /** Called each time that the connection reaches a limit. */
  readonly onLimit: (limit: ConnectionLimit) => void
}

/** A socket as the broker sees it, with the limits of one connection in front. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket
  readonly #guard: PacketGuard
  readonly #deadline: PacketDeadline
  readonly #bucket: TokenBucket
  readonly #clock: Clock
  readonly #destroyed = new AbortController()
  readonly #onLimit: (limit: ConnectionLimit) => void
  /** What waits for the message rate; it begins with a PUBLISH. */
  #held: Buffer | undefined
  #waiting = false
  /** The broker has enough for now. */
  #full = false
  /** IP address of the peer. */
  readonly remote: string | undefined

  constructor({ socket, limits, clock, onLimit }: GuardedSocketOptions) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#onLimit = onLimit
    this.remote = socket.remoteAddress
    this.#clock = clock
    this.#bucket = new TokenBucket({ perSecond: limits.maxMessagesPerSecond, clock })
    this.#guard = new PacketGuard(limits.maxPacketBytes, () => this.#bucket.take())
    this.#deadline = new PacketDeadline({
      timeoutMs: limits.packetTimeoutSeconds * 1000,
      clock,
      onExpired: () => this.#cutOff('packetTimeouts'),
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', error => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#full = false
    this.#flow()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#deadline.stop()
    this.#destroyed.abort()
    this.#socket.destroy()
    done(error)
  }

  #take(chunk: Buffer): void {
    const passed = this.#guard.accept(chunk)
    if (passed === undefined) {
      this.#cutOff('oversize')
      return
    }
    this.#deadline.within(this.#guard.packet)
    if (passed < chunk.length) {
      this.#held = chunk.subarray(passed)
      void this.#wait()
    }
    // The broker may ask for more at once, by _read.
    if (passed > 0 && !this.push(chunk.subarray(0, passed))) this.#full = true
    if (this.#full || this.#waiting) {
      this.#deadline.pause()
      this.#socket.pause()
    }
  }

  /** Back-pressure: the peer's bytes stay where they are, at last with the peer, and none is dropped. */
  async #wait(): Promise<void> {
    this.#waiting = true
    this.#onLimit('throttled')
    // Destroyed: there is nothing left to pass on.
    await this.#clock.sleep(Math.max(1, this.#bucket.waitMs), this.#destroyed.signal).catch(() => {})
    this.#waiting = false
    if (!this.destroyed) this.#flow()
  }

  #flow(): void {
    if (this.#full || this.#waiting) return
    const held = this.#held
    this.#held = undefined
    this.#deadline.resume()
    if (held !== undefined) this.#take(held)
    if (!this.#full && !this.#waiting) this.#socket.resume()
  }

  #cutOff(limit: ConnectionLimit): void {
    this.#onLimit(limit)
    this.destroy()
  }
}
