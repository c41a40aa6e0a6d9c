import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { PacketGuard } from './packet-guard.ts'

export interface GuardedSocketOptions {
  readonly socket: Socket
  readonly maxPacketBytes: number
  /** Called once, when the socket is cut off for an oversize packet. */
  readonly onRefused: () => void
}

/** A socket as the broker sees it, with the packet guard in front. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket
  /** IP address of the peer. */
  readonly remote: string | undefined

  constructor({ socket, maxPacketBytes, onRefused }: GuardedSocketOptions) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.remote = socket.remoteAddress
    const guard = new PacketGuard(maxPacketBytes)
    socket.on('data', (chunk: Buffer) => {
      if (!guard.accept(chunk)) {
        onRefused()
        this.destroy()
      } else if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', error => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
