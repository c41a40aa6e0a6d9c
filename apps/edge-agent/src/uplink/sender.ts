import {
  type Ack,
  addSeqs,
  type Clock,
  EMPTY_SEQ_SET,
  type EmbeddingBatch,
  encodeJson,
  encodeMessagePack,
  type FailPoint,
  hasSeq,
  type IncidentEvent,
  type Log,
  messageOf,
  noFailPoint,
  type SeqRange,
  type SeqSet,
} from '@sightline/core'
import type { Outbox, Selection } from '../outbox/outbox.ts'
import type { OutgoingEvent, OutgoingFrame } from '../outbox/records.ts'
import { Bandwidth, type Departure } from './bandwidth.ts'

export interface SenderSettings {
  readonly window: number
  readonly batchItems: number
  readonly batchBytes: number
  readonly ackTimeoutSeconds: number
  readonly replayPerSecond: number
  /** Of the measured bandwidth, 0 to 1, for what is not live. */
  readonly replayShare: number
}

export interface SenderOptions {
  readonly outbox: Outbox
  readonly settings: SenderSettings
  /** Hands one message to the broker; whether it arrived is for the hub's ack to say. */
  readonly publish: (type: 'emb' | 'event', payload: Uint8Array) => Promise<void>
  readonly space: { readonly fingerprint: string; readonly dim: number }
  readonly clock: Clock
  readonly log: Log
  /** Called at `message sent`, `before trim` and `after trim`; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** One message on its way. */
interface Unit {
  /** What of it the hub has not named yet. */
  seqs: readonly number[]
  skipped: readonly SeqRange[]
  readonly live: boolean
  readonly bytes: number
  readonly departure: Departure
  readonly overdueMs: number
}

const MAX_SKIPPED_RANGES = 1024
/** Gaps at the hub, which takes 4096, before events no longer overtake old frames, and what was skipped is told first. */
const MAX_GAPS = 200
const MAX_SILENCE_DOUBLINGS = 3

/**
 * Sends what is in the outbox, a few messages at a time, until the hub acknowledges. It keeps no queue: what is on its
 * way is known, and everything else is asked of the outbox anew. Records made since the hub was last lost are live and
 * go first; older ones follow at a pace, events before frames, marked historical.
 */
export class Sender {
  readonly #options: SenderOptions
  #settings: SenderSettings
  readonly #units = new Set<Unit>()
  readonly #inFlight = new Set<number>()
  readonly #bandwidth = new Bandwidth()
  #connected = false
  #draining = false
  #liveFrom = 1
  /** What the hub has named since it was last reached. */
  #stored: SeqSet = EMPTY_SEQ_SET
  /** The last of the backlog that was sent. */
  #replayed = { atMs: Number.NEGATIVE_INFINITY, countMs: 0, bytes: 0 }
  /** Time-outs in a row. A silent hub gets one message at a time, ever more seldom, until it answers. */
  #silences = 0
  #wake = () => {}
  #onIdle = () => {}

  constructor(options: SenderOptions) {
    this.#options = options
    this.#settings = options.settings
  }

  /** Other rates, from the next message on. */
  configure(settings: SenderSettings): void {
    this.#settings = settings
    this.#wake()
  }

  /** The hub can be reached: what was recorded before is history. */
  up(): void {
    this.#connected = true
    this.#silences = 0
    this.#stored = EMPTY_SEQ_SET
    this.#liveFrom = this.#options.outbox.next
    this.#wake()
  }

  down(): void {
    this.#connected = false
    this.#units.clear()
    this.#inFlight.clear()
    this.#wake()
  }

  /** There is something new in the outbox. */
  poke(): void {
    this.#wake()
  }

  /** Deletes what the hub has stored, and goes on. */
  async acknowledge(ack: Ack): Promise<void> {
    const { outbox, clock, failPoint = noFailPoint } = this.#options
    if (ack.session !== outbox.session) return
    failPoint('before trim')
    // First the records, then the units: otherwise they would be sent again in between.
    await outbox.acknowledge(ack)
    failPoint('after trim')
    this.#stored = addSeqs(this.#stored, [[1, ack.upTo], ...ack.ranges])
    for (const unit of this.#units) {
      unit.seqs = unit.seqs.filter(seq => !hasSeq(ack, seq))
      unit.skipped = unit.skipped.filter(([first, last]) => !(hasSeq(ack, first) && hasSeq(ack, last)))
    }
    const arrived = [...this.#units].filter(({ seqs, skipped }) => seqs.length + skipped.length === 0)
    for (const unit of arrived) this.#units.delete(unit)
    for (const seq of this.#inFlight) if (hasSeq(ack, seq)) this.#inFlight.delete(seq)
    const bytes = arrived.reduce((sum, unit) => sum + unit.bytes, 0)
    const departures = arrived.map(({ departure }) => departure)
    this.#bandwidth.acknowledged(departures, bytes, clock.monotonic())
    if (this.#silences > 0) this.#liveFrom = outbox.next
    this.#silences = 0
    this.#wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      // Set up before the pump, so that nothing that happens meanwhile goes unheard.
      const woken = new Promise<void>(resolve => {
        this.#wake = resolve
      })
      const waitMs = this.#pump()
      if (this.#units.size === 0) this.#onIdle()
      const waiting = new AbortController()
      const timer =
        waitMs === Number.POSITIVE_INFINITY
          ? woken
          : this.#options.clock.sleep(waitMs, waiting.signal).catch(() => {})
      await Promise.race([woken, timer])
      waiting.abort()
    }
  }

  /** Sends what is live, nothing of the backlog, and waits for the acks; at most `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    if (!this.#connected) return
    this.#draining = true
    const idle = new Promise<void>(resolve => {
      this.#onIdle = resolve
    })
    this.#wake()
    const limit = new AbortController()
    await Promise.race([idle, this.#options.clock.sleep(limitMs, limit.signal).catch(() => {})])
    limit.abort()
  }

  /** Fills the window. Returns the milliseconds until there is something to do without being woken. */
  #pump(): number {
    if (!this.#connected) return Number.POSITIVE_INFINITY
    const { clock } = this.#options
    const settings = this.#settings
    const nowMs = clock.monotonic()
    this.#expire(nowMs)
    const window = this.#silences > 0 ? 1 : settings.window
    while (this.#units.size < window && this.#sendNext(nowMs)) {}
    const due = [...this.#units].map(unit => unit.overdueMs)
    if (this.#replayFromMs > nowMs && !this.#draining) due.push(this.#replayFromMs)
    return Math.min(...due) - nowMs
  }

  #expire(nowMs: number): void {
    let late = 0
    for (const unit of this.#units) {
      if (nowMs < unit.overdueMs) continue
      this.#forget(unit)
      late += unit.seqs.length
    }
    if (late === 0) return
    this.#silences++
    this.#options.log.warn({ records: late, silences: this.#silences }, 'no ack in time; sending again')
  }

  /** False when there is nothing to send now. */
  #sendNext(nowMs: number): boolean {
    const { outbox } = this.#options
    const settings = this.#settings
    const live = { from: this.#liveFrom, below: outbox.next, except: this.#inFlight }
    const size = { limit: settings.batchItems, maxBytes: settings.batchBytes }
    const event = outbox.event(live)
    if (event !== undefined) return this.#sendEvent(event, true)
    const frames = outbox.frames(live, size)
    if (frames.length > 0) return this.#sendFrames(frames, true) > 0
    if (this.#draining || !this.#roomForBacklog()) return false
    const old = { from: 1, below: this.#liveFrom, except: this.#inFlight }
    const crowded = this.#stored.ranges.length >= MAX_GAPS
    if (crowded && this.#sendSkipped()) return true
    const oldEvent = outbox.event(old)
    if (oldEvent !== undefined && !(crowded && this.#isOvertaking(oldEvent, old)))
      return this.#sendEvent(oldEvent, false)
    if (nowMs < this.#replayFromMs) return false
    const backlog = outbox.frames(old, size)
    if (backlog.length === 0) return this.#sendSkipped()
    const bytes = this.#sendFrames(backlog, false)
    this.#replayed = { atMs: nowMs, countMs: (backlog.length / settings.replayPerSecond) * 1000, bytes }
    return true
  }

  #isOvertaking({ seq }: OutgoingEvent, old: Selection): boolean {
    const [oldest] = this.#options.outbox.frames(old, { limit: 1, maxBytes: 1 })
    return oldest !== undefined && oldest.item.seq < seq
  }

  /** Asked anew each time: the acknowledgement of a message shortens the pause after it, when the line was taken for too thin. */
  get #replayFromMs(): number {
    const { atMs, countMs, bytes } = this.#replayed
    return atMs + Math.max(countMs, this.#bandwidth.timeOf(bytes, this.#settings.replayShare))
  }

  /** One place of the window is never the backlog's. */
  #roomForBacklog(): boolean {
    const busy = [...this.#units].filter(unit => !unit.live).length
    return busy < this.#settings.window - 1
  }

  #sendEvent({ seq, step }: OutgoingEvent, live: boolean): boolean {
    const message: Omit<IncidentEvent, 'phase'> & { phase: string } = {
      v: 1,
      session: this.#options.outbox.session,
      seq,
      ...step,
    }
    return this.#send('event', encodeJson(message), { seqs: [seq], skipped: [], live })
  }

  /** Returns its bytes. */
  #sendFrames(frames: readonly OutgoingFrame[], live: boolean): number {
    const skipped = this.#skippedToTell()
    const items = frames.map(({ item }) => item)
    const { fingerprint } = frames[0]!
    const dim = items[0]!.vector.byteLength / 4
    const payload = this.#batch({ fingerprint, dim, historical: !live, skipped, items })
    this.#send('emb', payload, { seqs: items.map(({ seq }) => seq), skipped, live })
    return payload.byteLength
  }

  #sendSkipped(): boolean {
    const skipped = this.#skippedToTell()
    if (skipped.length === 0) return false
    const payload = this.#batch({ ...this.#options.space, historical: true, skipped, items: [] })
    return this.#send('emb', payload, { seqs: [], skipped, live: false })
  }

  #skippedToTell(): SeqRange[] {
    const told = [...this.#units].some(unit => unit.skipped.length > 0)
    return told ? [] : this.#options.outbox.skipped(MAX_SKIPPED_RANGES)
  }

  #batch(
    batch: Pick<EmbeddingBatch, 'fingerprint' | 'dim' | 'historical' | 'items'> & {
      skipped: readonly SeqRange[]
    },
  ): Uint8Array {
    return encodeMessagePack({ v: 1, session: this.#options.outbox.session, dtype: 'f32', ...batch })
  }

  #send(type: 'emb' | 'event', payload: Uint8Array, unit: Pick<Unit, 'seqs' | 'skipped' | 'live'>): boolean {
    const { clock, publish, log, failPoint = noFailPoint } = this.#options
    const patience = 2 ** Math.min(this.#silences, MAX_SILENCE_DOUBLINGS)
    const nowMs = clock.monotonic()
    const overdueMs = nowMs + this.#settings.ackTimeoutSeconds * 1000 * patience
    const departure = this.#bandwidth.depart(nowMs)
    const sent = { ...unit, bytes: payload.byteLength, departure, overdueMs }
    this.#units.add(sent)
    for (const seq of unit.seqs) this.#inFlight.add(seq)
    // A broken connection comes to `down`; the records are still in the outbox.
    publish(type, payload).catch(error => log.debug({ reason: messageOf(error) }, 'publish failed'))
    failPoint('message sent')
    return true
  }

  #forget(unit: Unit): void {
    this.#units.delete(unit)
    for (const seq of unit.seqs) this.#inFlight.delete(seq)
  }
}
