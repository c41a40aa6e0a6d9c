import { type Ack, type Address, encodeJson, type Log, nodeTopic, type SeqSet } from '@sightline/core'

export interface OutgoingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
}

export type Publish = (message: OutgoingMessage) => Promise<void>

/** Ranges that one ack names at most; what is beyond is acknowledged when the gaps before it are filled. */
const MAX_RANGES = 256

interface Pending {
  readonly address: Address
  readonly session: string
  stored: SeqSet
}

/** Tells devices what is stored: per session one ack at a time, and while it is under way only the newest waits. */
export class AckSender {
  readonly #publish: Publish
  readonly #log: Log
  readonly #waiting = new Map<string, Pending>()
  readonly #sending = new Set<string>()

  constructor({ publish, log }: { publish: Publish; log: Log }) {
    this.#publish = publish
    this.#log = log
  }

  send(address: Address, session: string, stored: SeqSet): void {
    const key = `${address.site}~${address.node}~${session}`
    this.#waiting.set(key, { address, session, stored })
    if (!this.#sending.has(key)) void this.#drain(key)
  }

  async #drain(key: string): Promise<void> {
    this.#sending.add(key)
    for (let next = this.#waiting.get(key); next !== undefined; next = this.#waiting.get(key)) {
      this.#waiting.delete(key)
      const { address, session, stored } = next
      const ranges = stored.ranges
        .slice(0, MAX_RANGES)
        .map(([first, last]): [number, number] => [first, last])
      const ack: Ack = { v: 1, session, upTo: stored.upTo, ranges }
      try {
        await this.#publish({
          topic: nodeTopic('ack', address),
          payload: encodeJson(ack),
          qos: 1,
          retain: false,
        })
      } catch (err) {
        // The device sends again what it was not told about, and is then told.
        this.#log.warn({ ...address, err }, 'ack not sent')
      }
    }
    this.#sending.delete(key)
  }
}
