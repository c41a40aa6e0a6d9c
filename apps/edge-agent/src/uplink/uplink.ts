import {
  Ack,
  type Address,
  type Clock,
  decodeJson,
  encodeJson,
  type FailPoint,
  type Log,
  messageOf,
  type NodeState,
  type NodeStats,
  nodeTopic,
  rulesTopic,
  type Service,
} from '@sightline/core'
import type { Outbox } from '../outbox/outbox.ts'
import type { Link, Message } from './link.ts'
import { Sender, type SenderSettings } from './sender.ts'

const MIN_STATE_INTERVAL_MS = 1000

/** What an uplink tells the hub about its agent, asked for whenever it is sent. */
export interface SelfReport {
  state(): Omit<NodeState, 'v' | 'online' | 'at' | 'session'>
  stats(): Omit<NodeStats, 'v' | 'at'>
}

/** Hears what the hub decides for this device. */
export interface FleetHandlers {
  /** Connected, and the state is told. */
  onUp(): void
  /** The broker does not let the credential in. */
  onRefused(): void
  onDesired(payload: Uint8Array): void
  onCommand(payload: Uint8Array): void
}

export type UplinkSettings = SenderSettings & {
  readonly statsSeconds: number
  readonly drainSeconds: number
}

export interface UplinkOptions {
  readonly address: Address
  readonly settings: UplinkSettings
  readonly space: { readonly fingerprint: string; readonly dim: number }
  /** Group of devices whose rules it gets. */
  readonly rulesGroup?: string
  readonly outbox: Outbox
  readonly link: Link
  readonly report: SelfReport
  /** Takes a rule bundle as it came. */
  readonly onRules: (payload: Uint8Array) => Promise<void>
  /** Remote configuration and commands. */
  readonly fleet?: FleetHandlers
  readonly clock: Clock
  readonly log: Log
  readonly failPoint?: FailPoint | undefined
}

/** The topics that an agent listens to. */
export function downlinkTopics(address: Address, fingerprint: string, rulesGroup = 'all') {
  return {
    rules: rulesTopic(address.site, rulesGroup, fingerprint),
    ack: nodeTopic('ack', address),
    desired: nodeTopic('cfg/desired', address),
    command: nodeTopic('cmd', address),
  }
}

/** The agent's side of the protocol: birth and will, stats, rules and acks in, records out. */
export class Uplink implements Service {
  readonly name = 'uplink'
  readonly #options: UplinkOptions
  #settings: UplinkSettings
  #topics: ReturnType<typeof downlinkTopics>
  readonly #sender: Sender
  readonly #stopping = new AbortController()
  #running: Promise<unknown> | undefined
  #stateDirty = false
  #wake = () => {}
  #isUp = () => {}
  /** Resolves at the first connection. */
  readonly #up = new Promise<void>(resolve => {
    this.#isUp = resolve
  })

  constructor(options: UplinkOptions) {
    const { address, outbox, settings, space, clock, log, rulesGroup, failPoint } = options
    this.#options = options
    this.#settings = settings
    this.#topics = downlinkTopics(address, space.fingerprint, rulesGroup)
    const publish = (type: 'emb' | 'event', payload: Uint8Array) =>
      this.#publish({ topic: nodeTopic(type, address), payload, qos: 1, retain: false })
    this.#sender = new Sender({ outbox, settings, publish, space, clock, log, failPoint })
  }

  async start(): Promise<void> {
    const { outbox, link, fleet } = this.#options
    const { signal } = this.#stopping
    outbox.onAppend(() => this.#sender.poke())
    this.#running = Promise.all([
      this.#sender.run(signal),
      this.#reportState(signal),
      this.#reportStats(signal),
    ])
    link.start({
      will: () => this.#state(false),
      onUp: () => {
        this.#isUp()
        void this.#tell(this.#state(true))
        void this.#tell(this.#stats())
        this.#sender.up()
        fleet?.onUp()
      },
      onDown: () => this.#sender.down(),
      onRefused: () => fleet?.onRefused(),
      onMessage: (topic, payload) => void this.#receive(topic, payload),
    })
  }

  /** Waits a little for acks, says that the node is offline, and leaves. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { link, clock } = this.#options
    const limitMs = this.#settings.drainSeconds * 1000
    await this.#sender.drain(limitMs)
    this.#stopping.abort()
    const told = new AbortController()
    await Promise.race([
      this.#tell(this.#state(false)),
      clock.sleep(Math.max(500, limitMs), told.signal).catch(() => {}),
    ])
    told.abort()
    await link.stop()
    await this.#running
  }

  /** Other rates, at once; the interval of the stats from the next ones on. */
  configure(settings: UplinkSettings): void {
    this.#settings = settings
    this.#sender.configure(settings)
  }

  /** Takes the rules of another group of the site. */
  async joinGroup(rulesGroup: string): Promise<void> {
    const { address, space, link } = this.#options
    this.#topics = downlinkTopics(address, space.fingerprint, rulesGroup)
    await link.resubscribe(Object.values(this.#topics))
  }

  /** Tells the hub at once. @throws BROKER_UNREACHABLE */
  tell(type: 'cfg/reported' | 'reply', payload: Uint8Array): Promise<void> {
    const topic = nodeTopic(type, this.#options.address)
    return this.#publish({ topic, payload, qos: 1, retain: type === 'cfg/reported' })
  }

  /** The state changed: tell it, at most once a second. */
  stateChanged(): void {
    this.#stateDirty = true
    this.#wake()
  }

  /** Tells the state at once, or after the connection that is being made; waits no longer than `limitMs`. */
  async tellState(limitMs: number): Promise<void> {
    const told = new AbortController()
    const late = this.#options.clock.sleep(limitMs, told.signal).catch(() => {})
    await Promise.race([this.#up.then(() => this.#tell(this.#state(true))), late])
    told.abort()
  }

  async #receive(topic: string, payload: Uint8Array): Promise<void> {
    const { onRules, fleet, log } = this.#options
    try {
      if (topic === this.#topics.rules) await onRules(payload)
      else if (topic === this.#topics.desired) fleet?.onDesired(payload)
      else if (topic === this.#topics.command) fleet?.onCommand(payload)
      else if (topic === this.#topics.ack) await this.#sender.acknowledge(decodeJson(Ack, payload))
    } catch (err) {
      log.warn({ err, topic }, 'message not usable')
    }
  }

  async #reportState(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      if (!this.#stateDirty) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        continue
      }
      this.#stateDirty = false
      if (this.#options.link.up) await this.#tell(this.#state(true))
      await this.#options.clock.sleep(MIN_STATE_INTERVAL_MS, signal).catch(() => {})
    }
  }

  async #reportStats(signal: AbortSignal): Promise<void> {
    const { clock, link } = this.#options
    while (!signal.aborted) {
      await clock.sleep(this.#settings.statsSeconds * 1000, signal).catch(() => {})
      if (!signal.aborted && link.up) await this.#tell(this.#stats())
    }
  }

  #state(online: boolean): Message {
    const { address, outbox, report, clock } = this.#options
    const head = { v: 1 as const, online, at: clock.now(), session: outbox.session }
    const payload = encodeJson({ ...head, ...report.state() } satisfies NodeState)
    return { topic: nodeTopic('state', address), payload, qos: 1, retain: true }
  }

  #stats(): Message {
    const { address, report, clock } = this.#options
    const payload = encodeJson({ v: 1, at: clock.now(), ...report.stats() } satisfies NodeStats)
    return { topic: nodeTopic('stats', address), payload, qos: 0, retain: false }
  }

  /** State and stats are worth nothing later: what cannot be sent now is told anew after the next connection. */
  async #tell(message: Message): Promise<void> {
    await this.#publish(message).catch(error =>
      this.#options.log.debug({ reason: messageOf(error), topic: message.topic }, 'not told'),
    )
  }

  #publish(message: Message): Promise<void> {
    return this.#options.link.publish(message)
  }
}
