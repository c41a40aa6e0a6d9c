import {
  type Address,
  type Clock,
  CommandReply,
  decodeJson,
  decodeMessagePack,
  EmbeddingBatch,
  fault,
  IncidentEvent,
  isFault,
  type Log,
  messageOf,
  NodeState,
  NodeStats,
  type ParsedTopic,
  parseUplinkTopic,
  ReportedConfig,
  toRanges,
  vectorFromBytes,
} from '@sightline/core'
import type { AdmittedPicture, PictureGate } from '../privacy/picture-gate.ts'
import type { AppendResult, Delivery, NewFrame, NodeRecord, RecordStore } from '../store/record-store.ts'
import { AckSender, type Publish } from './ack-sender.ts'
import { carriedRecords } from './carried-records.ts'
import { QuietLog } from './quiet-log.ts'

const QUARANTINE_HEAD_BYTES = 4096
/** Devices try again within a minute and a half: a refusal that is older says nothing about now. */
const TROUBLE_MS = 120_000

export interface IngestStats {
  messages: number
  frames: number
  events: number
  duplicates: number
  quarantined: number
  /** Messages that the store refused and that were therefore not acknowledged. */
  failures: number
}

interface IngestEvents {
  stored: AppendResult
  node: NodeRecord
}

export interface IngestOptions {
  readonly store: RecordStore
  readonly publish: Publish
  /** Without it, what it would take is quarantined. */
  readonly fleet?: FleetIntake
  /** Without it, no thumbnail is taken in. */
  readonly pictures?: Pick<PictureGate, 'admit'>
  readonly clock: Clock
  readonly log: Log
}

/** Keeps what devices say of their configuration and of commands. Durable when it resolves. @throws STORE_FAILED */
export interface FleetIntake {
  takeReported(address: Address, reported: ReportedConfig): Promise<void>
  takeReply(address: Address, reply: CommandReply): Promise<void>
}

/** What devices send, into the store: decoded, checked, durable, acknowledged. */
export class Ingest {
  readonly #store: RecordStore
  readonly #clock: Clock
  readonly #log: Log
  readonly #quiet: QuietLog
  readonly #acks: AckSender
  readonly #fleet: FleetIntake | undefined
  readonly #pictures: Pick<PictureGate, 'admit'> | undefined
  #refusal: { readonly atMs: number; readonly code: string } | undefined
  readonly #listeners: { readonly [Name in keyof IngestEvents]: Set<(value: IngestEvents[Name]) => void> } = {
    stored: new Set(),
    node: new Set(),
  }
  readonly stats: IngestStats = {
    messages: 0,
    frames: 0,
    events: 0,
    duplicates: 0,
    quarantined: 0,
    failures: 0,
  }

  constructor({ store, publish, fleet, pictures, clock, log }: IngestOptions) {
    this.#store = store
    this.#fleet = fleet
    this.#pictures = pictures
    this.#clock = clock
    this.#log = log
    this.#quiet = new QuietLog({ clock, log })
    this.#acks = new AckSender({ publish, log })
  }

  /** Code of the fault for which the store refuses what comes in; undefined when it takes it. */
  get trouble(): string | undefined {
    const refusal = this.#refusal
    if (refusal === undefined || this.#clock.monotonic() - refusal.atMs > TROUBLE_MS) return undefined
    return refusal.code
  }

  /** Returns what ends the subscription. */
  on<Name extends keyof IngestEvents>(name: Name, listener: (value: IngestEvents[Name]) => void): () => void {
    this.#listeners[name].add(listener)
    return () => this.#listeners[name].delete(listener)
  }

  /**
   * Resolves when what the message carries is durable, or when the message was unusable and lies in quarantine.
   * @throws STORE_FAILED alone: the sender must then keep the message
   */
  async accept(topic: string, payload: Uint8Array): Promise<void> {
    this.stats.messages++
    try {
      const address = parseUplinkTopic(topic)
      if (address === undefined) throw fault('PAYLOAD_INVALID', 'not an uplink topic')
      await this.#take(address, payload)
      this.#refusal = undefined
    } catch (error) {
      if (isFault(error, 'PAYLOAD_INVALID')) return await this.#refuse(topic, payload, error.message)
      this.stats.failures++
      this.#refusal = { atMs: this.#clock.monotonic(), code: isFault(error) ? error.code : 'INTERNAL' }
      this.#quiet.error({ topic, err: error }, 'message not stored')
      throw error
    }
  }

  /**
   * Frames that came another way than by MQTT: stored and told like all others, acknowledged to nobody.
   * @throws STORE_FAILED, PAYLOAD_INVALID
   */
  async import(delivery: Omit<Delivery, 'receivedAt'>): Promise<AppendResult> {
    const frames: NewFrame[] = []
    for (const { thumbnail, ...frame } of delivery.frames)
      frames.push({ ...frame, ...(await this.#picture(delivery.site, thumbnail)) })
    const result = await this.#store.append({ ...delivery, frames, receivedAt: this.#clock.now() })
    this.stats.frames += result.frames.length
    this.stats.duplicates += result.duplicates
    this.#tell('stored', result)
    return result
  }

  #take(address: ParsedTopic, payload: Uint8Array): Promise<void> {
    switch (address.type) {
      case 'emb':
        return this.#takeBatch(address, decodeMessagePack(EmbeddingBatch, payload))
      case 'event':
        return this.#takeEvent(address, decodeJson(IncidentEvent, payload))
      case 'state':
        return this.#takeState(address, payload)
      case 'stats':
        return this.#updateNode(address, { stats: decodeJson(NodeStats, payload) })
      case 'cfg/reported':
        return this.#takeReported(address, payload)
      case 'reply':
        return this.#intake(address).takeReply(address, decodeJson(CommandReply, payload))
    }
  }

  async #takeBatch(address: ParsedTopic, batch: EmbeddingBatch): Promise<void> {
    const { session, fingerprint, historical } = batch
    const frames: NewFrame[] = []
    const skipped = [...batch.skipped]
    const unusable: Promise<void>[] = []
    for (const { seq, camera, capturedAt, vector, verdicts, thumbnail } of batch.items) {
      try {
        const checked = vectorFromBytes(vector, batch.dim)
        frames.push({
          seq,
          camera,
          capturedAt,
          verdicts,
          vector: checked,
          ...(await this.#picture(address.site, thumbnail)),
        })
      } catch (error) {
        // One bad vector costs itself. It counts as received, or its device would send it for ever.
        const what = `emb of ${address.site}/${address.node}, seq ${seq}`
        unusable.push(this.#quarantine(what, vector, messageOf(error)))
        skipped.push([seq, seq])
      }
    }
    await Promise.all(unusable)
    await this.#append(address, { session, fingerprint, historical, skipped, frames, events: [] })
  }

  #takeEvent(address: ParsedTopic, event: IncidentEvent): Promise<void> {
    const { session } = event
    return this.#append(address, {
      session,
      fingerprint: '',
      historical: false,
      skipped: [],
      frames: [],
      events: [event],
    })
  }

  async #append(
    { site, node }: ParsedTopic,
    records: Omit<Delivery, 'site' | 'node' | 'receivedAt'>,
  ): Promise<void> {
    const result = await this.#store.append({ site, node, receivedAt: this.#clock.now(), ...records })
    this.stats.frames += result.frames.length
    this.stats.events += records.events.length
    this.stats.duplicates += result.duplicates
    const { frames, events, skipped } = records
    const seqs = [...frames, ...events].map(({ seq }) => seq)
    this.#acks.send({ site, node }, records.session, result.stored, [...toRanges(seqs), ...skipped])
    this.#tell('stored', result)
  }

  async #takeState(address: ParsedTopic, payload: Uint8Array): Promise<void> {
    // An empty retained message clears a topic (MQTT 3.1.1, 3.3.1.3); the hub keeps what it knew.
    if (payload.byteLength === 0) return
    const state = decodeJson(NodeState, payload)
    await this.#updateNode(address, { state })
    // An agent that missed an acknowledgement learns what is stored as soon as it is back.
    if (state.online)
      this.#acks.sendAll(
        address,
        state.session,
        this.#store.stored(address.site, address.node, state.session),
      )
  }

  async #takeReported(address: ParsedTopic, payload: Uint8Array): Promise<void> {
    // Cleared, like a state: see above.
    if (payload.byteLength === 0) return
    await this.#intake(address).takeReported(address, decodeJson(ReportedConfig, payload))
  }

  #intake({ type }: ParsedTopic): FleetIntake {
    if (this.#fleet === undefined) throw fault('PAYLOAD_INVALID', `this hub takes no ${type}`)
    return this.#fleet
  }

  async #updateNode(
    { site, node }: ParsedTopic,
    change: Partial<Pick<NodeRecord, 'state' | 'stats'>>,
  ): Promise<void> {
    await this.#store.updateNode(site, node, { ...change, seenAt: this.#clock.now() })
    const record = this.#store.node(site, node)
    if (record !== undefined) this.#tell('node', record)
  }

  /** The records are stored by now: a listener that fails must not make their device send them again. */
  #tell<Name extends keyof IngestEvents>(name: Name, value: IngestEvents[Name]): void {
    for (const listener of this.#listeners[name]) {
      try {
        listener(value)
      } catch (err) {
        this.#log.error({ err, event: name }, 'listener failed')
      }
    }
  }

  async #picture(site: string, thumbnail: Uint8Array | undefined): Promise<AdmittedPicture> {
    return thumbnail === undefined ? {} : ((await this.#pictures?.admit(site, thumbnail)) ?? {})
  }

  /** Keeps what it can of a message that is of no use, and lets its device go on. */
  async #refuse(topic: string, payload: Uint8Array, reason: string): Promise<void> {
    await this.#quarantine(topic, payload, reason)
    const address = parseUplinkTopic(topic)
    const carried = address && carriedRecords(address.type, payload)
    if (address === undefined || carried === undefined) return
    const { session, seqs: skipped } = carried
    const nothing = { fingerprint: '', historical: false, frames: [], events: [] }
    await this.#append(address, { session, skipped, ...nothing }).catch(error => {
      // Too many gaps: the device sends what is missing, and then this once more.
      if (!isFault(error, 'PAYLOAD_INVALID')) throw error
    })
  }

  async #quarantine(topic: string, payload: Uint8Array, reason: string): Promise<void> {
    this.stats.quarantined++
    this.#quiet.warn({ topic, bytes: payload.byteLength, reason }, 'payload quarantined')
    await this.#store.quarantine({
      at: this.#clock.now(),
      topic: topic.slice(0, 512),
      reason: reason.slice(0, 2000),
      head: payload.slice(0, QUARANTINE_HEAD_BYTES),
      bytes: payload.byteLength,
    })
  }
}
