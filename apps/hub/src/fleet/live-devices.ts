import { randomUUID } from 'node:crypto'
import { type Clock, type Command, encodeJson, type Log, nodeTopic, type Service } from '@sightline/core'
import type { Publish } from '../ingest/ack-sender.ts'
import type { DeviceRecord, DeviceRegistry } from './device-registry.ts'

const LOOK_INTERVAL_MS = 1000
/** Also without a change: a former secret runs out, a device that was away is back. */
const REPEAT_MS = 60_000
/** A new secret that nobody has used for so long never arrived. */
const ANSWER_LOST_MS = 10 * 60_000

export interface LiveDevicesOptions {
  readonly registry: DeviceRegistry
  readonly broker: { expel(): number; readonly publish: Publish }
  readonly clock: Clock
  readonly log: Log
}

/**
 * Applies what was decided about credentials to devices that are connected: drops those that may not stay, tells those
 * that are to change their secret. It looks every second, because the command line decides in another process.
 */
export class LiveDevices implements Service {
  readonly name = 'live devices'
  readonly #options: LiveDevicesOptions
  readonly #stopping = new AbortController()
  #revision = -1
  #lookedAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(options: LiveDevicesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Looks at once. */
  check(): void {
    const { registry, broker, clock } = this.#options
    const { revision } = registry
    const now = clock.monotonic()
    if (revision === this.#revision && now - this.#lookedAt < REPEAT_MS) return
    this.#revision = revision
    this.#lookedAt = now
    broker.expel()
    const wallMs = clock.now()
    for (const device of registry.devices()) if (shouldRotate(device, wallMs)) this.#askForRotation(device)
  }

  #askForRotation(address: { site: string; node: string }): void {
    const { broker, clock, log } = this.#options
    const issuedAt = clock.now()
    const command: Command = {
      v: 1,
      id: randomUUID(),
      command: 'rotate-credential',
      args: {},
      issuedAt,
      expiresAt: issuedAt + REPEAT_MS,
    }
    broker
      .publish({ topic: nodeTopic('cmd', address), payload: encodeJson(command), qos: 1, retain: false })
      .catch((err: unknown) => log.warn({ ...address, err }, 'device not told to rotate'))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        this.check()
      } catch (err) {
        this.#options.log.error({ err }, 'devices not checked')
      }
      await this.#options.clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => {})
    }
  }
}

/** Somebody asked for it, or the answer to the last rotation was lost: the device goes on with a secret that runs out. */
function shouldRotate({ rotationAskedAt, revokedAt, previous }: DeviceRecord, now: number): boolean {
  if (revokedAt !== null) return false
  if (rotationAskedAt !== null) return true
  return previous !== null && previous.until > now && now - previous.since >= ANSWER_LOST_MS
}
