import {
  Ack,
  type Address,
  createLog,
  decodeJson,
  encodeJson,
  exponentialBackoff,
  hasSeq,
  type NodeState,
  nodeTopic,
  systemClock,
  toRanges,
} from '@sightline/core'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import type { DeliveryLedger } from './delivery-ledger.ts'
import { isEvent, SimulatedRecords, type VectorSpace } from './simulated-records.ts'

const quiet = createLog({ name: 'simulated', level: 'silent' })
const SESSION = '01J00000000000000000000000'
const WINDOW = 16
const MAX_BATCH = 64

export interface SimulatedAgentOptions {
  readonly address: Address
  readonly url: string
  readonly space: VectorSpace
  readonly ledger: DeliveryLedger
  readonly settings?: {
    readonly ackTimeoutMs?: number
    readonly keepaliveSeconds?: number
    /** Longest wait before the next attempt to connect. */
    readonly maxBackoffMs?: number
  }
}

interface Sent {
  readonly seqs: readonly number[]
  overdueMs: number
}

/**
 * A device without camera, model and disk: the product's own connection, and of the protocol what an agent does. It
 * keeps what is not acknowledged and sends it again; memory is its outbox.
 */
export class SimulatedAgent {
  readonly address: Address
  /** Milliseconds from the making of a record to its acknowledgement. */
  readonly latenciesMs: number[] = []
  reconnects = 0
  readonly #options: SimulatedAgentOptions
  readonly #records: SimulatedRecords
  readonly #link: Link
  readonly #madeAt = new Map<number, number>()
  readonly #onTheWay = new Set<Sent>()
  #resend: number[] = []
  /** The first that was not sent since the last connection. */
  #cursor = 1
  #next = 1
  #watch: NodeJS.Timeout | undefined
  #onAck = () => {}

  constructor(options: SimulatedAgentOptions) {
    const { address, url, space, settings } = options
    this.#options = options
    this.address = address
    this.#records = new SimulatedRecords({ address, session: SESSION, space })
    this.#link = new Link({
      settings: {
        url,
        clientId: `${address.site}~${address.node}`,
        keepaliveSeconds: settings?.keepaliveSeconds ?? 30,
        connectTimeoutSeconds: 10,
        subscriptions: [nodeTopic('ack', address)],
      },
      backoff: exponentialBackoff(100, settings?.maxBackoffMs ?? 2000),
      clock: systemClock,
      log: quiet,
    })
  }

  get outstanding(): number {
    return this.#madeAt.size
  }

  get up(): boolean {
    return this.#link.up
  }

  start(): void {
    this.#link.start({
      will: () => this.#state(false),
      onUp: () => {
        this.reconnects++
        void this.#link.publish(this.#state(true)).catch(() => {})
        this.#pump()
      },
      onDown: () => {
        this.#onTheWay.clear()
        this.#resend = []
        this.#cursor = this.#madeAt.keys().next().value ?? this.#next
      },
      onMessage: (_topic, payload) => this.#acknowledge(decodeJson(Ack, payload)),
    })
    this.#watch = setInterval(() => this.#expire(), 250)
  }

  /** Makes one record and sends it when it can. */
  record(): void {
    const seq = this.#next++
    this.#madeAt.set(seq, performance.now())
    this.#options.ledger.sent(this.address.node, seq)
    this.#pump()
  }

  /** Resolves when everything made so far is acknowledged, and true, or after `limitMs`, and false. */
  async drained(limitMs: number): Promise<boolean> {
    if (this.outstanding === 0) return true
    return await new Promise(resolve => {
      const late = setTimeout(() => resolve(false), limitMs)
      this.#onAck = () => {
        if (this.outstanding > 0) return
        clearTimeout(late)
        resolve(true)
      }
    })
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch)
    await this.#link.stop()
  }

  #pump(): void {
    while (this.#link.up && this.#onTheWay.size < WINDOW) {
      const seqs = this.#resend.length > 0 ? this.#portionOf(this.#resend) : this.#fresh()
      if (seqs.length === 0) return
      this.#send(seqs)
    }
  }

  /** Frames that follow on each other, or one event. */
  #fresh(): number[] {
    const seqs: number[] = []
    while (this.#cursor < this.#next && seqs.length < MAX_BATCH) {
      const seq = this.#cursor
      if (isEvent(seq) && seqs.length > 0) break
      this.#cursor++
      if (!this.#madeAt.has(seq)) continue
      seqs.push(seq)
      if (isEvent(seq)) break
    }
    return seqs
  }

  #portionOf(waiting: number[]): number[] {
    const end = waiting.findIndex(isEvent)
    return waiting.splice(0, end === 0 ? 1 : Math.min(MAX_BATCH, end < 0 ? waiting.length : end))
  }

  #send(seqs: readonly number[]): void {
    const event = isEvent(seqs[0]!)
    const payload = event ? this.#records.event(seqs[0]!) : this.#records.batch(seqs)
    const timeoutMs = this.#options.settings?.ackTimeoutMs ?? 5000
    this.#onTheWay.add({ seqs, overdueMs: performance.now() + timeoutMs })
    const topic = nodeTopic(event ? 'event' : 'emb', this.address)
    this.#link.publish({ topic, payload, qos: 1, retain: false }).catch(() => {})
  }

  #acknowledge(ack: Ack): void {
    const now = performance.now()
    const covered: number[] = []
    for (const [seq, madeAt] of this.#madeAt) {
      if (seq > ack.upTo && ack.ranges.length === 0) break
      if (!hasSeq(ack, seq)) continue
      covered.push(seq)
      this.latenciesMs.push(now - madeAt)
    }
    for (const seq of covered) this.#madeAt.delete(seq)
    if (covered.length > 0) this.#options.ledger.acknowledged(this.address.node, toRanges(covered))
    for (const sent of this.#onTheWay) {
      if (sent.seqs.every(seq => !this.#madeAt.has(seq))) this.#onTheWay.delete(sent)
    }
    this.#pump()
    this.#onAck()
  }

  #expire(): void {
    const now = performance.now()
    for (const sent of this.#onTheWay) {
      if (sent.overdueMs > now) continue
      this.#onTheWay.delete(sent)
      this.#resend.push(...sent.seqs.filter(seq => this.#madeAt.has(seq)))
    }
    this.#pump()
  }

  #state(online: boolean) {
    const payload = encodeJson({
      v: 1,
      online,
      at: Date.now(),
      session: SESSION,
      agent: '0.0.0',
      fingerprint: this.#options.space.fingerprint,
      provider: 'cpu',
      rulesGroup: 'all',
      rulesVersion: 0,
      configVersion: 0,
      cameras: [],
    } satisfies NodeState)
    return { topic: nodeTopic('state', this.address), payload, qos: 1 as const, retain: true }
  }
}
