import {
  Ack,
  type Address,
  addSeqs,
  decodeJson,
  decodeMessagePack,
  EMPTY_SEQ_SET,
  EmbeddingBatch,
  fault,
  hasSeq,
  IncidentEvent,
  NodeStats,
  nodeTopic,
  type SeqRange,
  type SeqSet,
} from '@sightline/core'
import { type Parser, parser } from 'mqtt-packet'
import type { DeliveryLedger } from './delivery-ledger.ts'

type Way = 'to server' | 'to client'

/**
 * The ledger of a device that keeps none: what goes between it and its hub is read off the wire. An acknowledgement counts
 * from when the hub has sent it, even if it never gets there.
 */
export class WireLedger {
  readonly #address: Address
  readonly #ledger: DeliveryLedger
  readonly #parsers = new Map<string, Parser>()
  /** What each number stands for. */
  readonly #meanings = new Map<number, string>()
  readonly #incidents = new Map<number, string>()
  #acknowledged: SeqSet = EMPTY_SEQ_SET
  #repeated = 0
  #messages = 0
  readonly #waiters = new Set<{ readonly from: number; readonly resolve: () => void }>()
  #waiting: number | undefined

  constructor({ address, ledger }: { address: Address; ledger: DeliveryLedger }) {
    this.#address = address
    this.#ledger = ledger
  }

  /** Different records that were seen. */
  get records(): number {
    return this.#meanings.size
  }

  get acknowledged(): number {
    const { upTo, ranges } = this.#acknowledged
    return ranges.reduce((sum, [first, last]) => sum + last - first + 1, upTo)
  }

  /** What the device last said of its outbox: records in it; undefined when it has said nothing since it was last asked. */
  takeWaiting(): number | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }

  /** Records that went over the wire again. */
  get repeated(): number {
    return this.#repeated
  }

  /** Resolves when so many more messages with records have left the device, or at the signal. */
  async passed(count: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const waiter = { from: this.#messages + count, resolve }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** The incident that a record is a step of. */
  incidentOf(seq: number): string | undefined {
    return this.#incidents.get(seq)
  }

  /** @throws INTERNAL when one number stands for two different records */
  read(chunk: Buffer, connection: number, way: Way): void {
    const key = `${connection} ${way}`
    let reader = this.#parsers.get(key)
    if (reader === undefined) {
      reader = parser({ protocolVersion: 4 })
      reader.on('packet', packet => {
        if (packet.cmd === 'publish') this.#note(packet.topic, packet.payload as Buffer)
      })
      this.#parsers.set(key, reader)
    }
    reader.parse(chunk)
  }

  #note(topic: string, payload: Buffer): void {
    if (topic === nodeTopic('emb', this.#address)) {
      this.#count()
      for (const { seq, camera, capturedAt } of decodeMessagePack(EmbeddingBatch, payload).items)
        this.#sent(seq, `${camera} at ${capturedAt}`)
    } else if (topic === nodeTopic('event', this.#address)) {
      this.#count()
      const { seq, incident, phase } = decodeJson(IncidentEvent, payload)
      this.#incidents.set(seq, incident)
      this.#sent(seq, `${phase} of ${incident}`)
    } else if (topic === nodeTopic('stats', this.#address)) {
      this.#waiting = decodeJson(NodeStats, payload).outboxRecords
    } else if (topic === nodeTopic('ack', this.#address)) {
      const { upTo, ranges } = decodeJson(Ack, payload)
      const known = this.#acknowledged
      const all: readonly SeqRange[] = [[known.upTo + 1, upTo], ...ranges]
      const news = all.filter(
        ([first, last]) => first <= last && !(hasSeq(known, first) && hasSeq(known, last)),
      )
      this.#acknowledged = addSeqs(known, news)
      this.#ledger.acknowledged(this.#address.node, news)
    }
  }

  #count(): void {
    this.#messages++
    for (const waiter of this.#waiters) {
      if (waiter.from > this.#messages) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #sent(seq: number, meaning: string): void {
    const known = this.#meanings.get(seq)
    if (known === undefined) {
      this.#meanings.set(seq, meaning)
      this.#ledger.sent(this.#address.node, seq)
    } else if (known === meaning) this.#repeated++
    else throw fault('INTERNAL', `number ${seq} was ${known} and is now ${meaning}`)
  }
}
