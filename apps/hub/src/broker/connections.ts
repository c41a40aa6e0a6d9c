import type { Socket } from 'node:net'
import type { Log } from '@sightline/core'
import { networkOf } from './network-of.ts'

interface Address {
  open: number
  warned: boolean
}

/** The sockets that stand, from before any handshake, and how many each address has of them. */
export class Connections {
  readonly #maxPerAddress: number
  readonly #log: Log
  readonly #sockets = new Set<Socket>()
  /** Those with open sockets only. */
  readonly #addresses = new Map<string, Address>()

  constructor({ maxPerAddress, log }: { maxPerAddress: number; log: Log }) {
    this.#maxPerAddress = maxPerAddress
    this.#log = log
  }

  /** False when its address has as many as it may have; the socket is then not kept. */
  add(socket: Socket): boolean {
    const key = networkOf(socket.remoteAddress)
    const address = this.#addresses.get(key) ?? { open: 0, warned: false }
    if (address.open >= this.#maxPerAddress) {
      // Once, not with every attempt: who is refused tries again.
      if (!address.warned) {
        const { remoteAddress: remote } = socket
        this.#log.warn({ remote, maxPerAddress: this.#maxPerAddress }, 'mqtt connections refused: too many')
      }
      address.warned = true
      return false
    }
    address.open++
    this.#addresses.set(key, address)
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (--address.open === 0) this.#addresses.delete(key)
    })
    return true
  }

  /** Addresses with open connections. */
  get addresses(): number {
    return this.#addresses.size
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
