import {
  type Ack,
  type Address,
  addSeqs,
  EMPTY_SEQ_SET,
  encodeJson,
  type Log,
  nodeTopic,
  type SeqRange,
  type SeqSet,
} from '@sightline/core'

export interface OutgoingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
}

export type Publish = (message: OutgoingMessage) => Promise<void>

/** Ranges that one ack names at most. */
const MAX_RANGES = 256

interface Pending {
  readonly address: Address
  readonly session: string
  stored: SeqSet
  /** What came since the last ack, and is waited for: it is named however many gaps there are before it. */
  due: SeqSet
}

/**
 * Tells devices what is stored: per session one ack at a time, and while it is under way what comes is gathered for the
 * next. An ack names everything up to the first gap, and beyond it what has just come.
 */
export class AckSender {
  readonly #publish: Publish
  readonly #log: Log
  readonly #waiting = new Map<string, Pending>()
  readonly #sending = new Set<string>()

  constructor({ publish, log }: { publish: Publish; log: Log }) {
    this.#publish = publish
    this.#log = log
  }

  /** `delivered`: what the device has just sent, whether it was new or not. */
  send(address: Address, session: string, stored: SeqSet, delivered: readonly SeqRange[]): void {
    const key = `${address.site}~${address.node}~${session}`
    const due = addSeqs(this.#waiting.get(key)?.due ?? EMPTY_SEQ_SET, delivered)
    this.#waiting.set(key, { address, session, stored, due })
    if (!this.#sending.has(key)) void this.#drain(key)
  }

  /** To a device that is back: what it may have missed, as far as one ack says it. */
  sendAll(address: Address, session: string, stored: SeqSet): void {
    this.send(address, session, stored, stored.ranges.slice(0, MAX_RANGES))
  }

  async #drain(key: string): Promise<void> {
    this.#sending.add(key)
    for (let next = this.#waiting.get(key); next !== undefined; next = this.#waiting.get(key)) {
      this.#waiting.delete(key)
      const { address, session, stored, due } = next
      const ranges = stored.ranges.filter(range => overlaps(due, range))
      const rest = ranges.splice(MAX_RANGES)
      if (rest.length > 0) this.#waiting.set(key, { ...next, due: { upTo: 0, ranges: rest } })
      const named = ranges.map(([first, last]): [number, number] => [first, last])
      const ack: Ack = { v: 1, session, upTo: stored.upTo, ranges: named }
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

function overlaps({ upTo, ranges }: SeqSet, [first, last]: SeqRange): boolean {
  return first <= upTo || ranges.some(([from, to]) => from <= last && first <= to)
}
