import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Clock } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import type { BrokerStats } from './broker-link.ts'
import { PacketDeadline } from './packet-deadline.ts'
import { PacketGuard } from './packet-guard.ts'

/** What a connection was held to, as it is counted. */
export type ConnectionLimit = keyof Pick<BrokerStats, 'oversize' | 'packetTimeouts'>

export interface GuardedSocketOptions {
  readonly socket: Socket
  readonly limits: Pick<HubSettings['mqtt'], 'maxPacketBytes' | 'packetTimeoutSeconds'>
  readonly clock: Clock
  /** Called each time that the connection reaches a limit. */
  readonly onLimit: (limit: ConnectionLimit) => void
}

/** A socket as the broker sees it, with the limits of one connection in front. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket
  readonly #guard: PacketGuard
  readonly #deadline: PacketDeadline
  readonly #onLimit: (limit: ConnectionLimit) => void
  /** IP address of the peer. */
  readonly remote: string | undefined

  constructor({ socket, limits, clock, onLimit }: GuardedSocketOptions) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#onLimit = onLimit
    this.remote = socket.remoteAddress
    this.#guard = new PacketGuard(limits.maxPacketBytes)
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
    this.#deadline.resume()
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#deadline.stop()
    this.#socket.destroy()
    done(error)
  }

  #take(chunk: Buffer): void {
    if (!this.#guard.accept(chunk)) {
      this.#cutOff('oversize')
      return
    }
    this.#deadline.within(this.#guard.packet)
    if (this.push(chunk)) return
    this.#deadline.pause()
    this.#socket.pause()
  }

  #cutOff(limit: ConnectionLimit): void {
    this.#onLimit(limit)
    this.destroy()
  }
}
