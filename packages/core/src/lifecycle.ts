import type { Log } from './log.ts'

/** Something that runs: `start` acts, `stop` drains and may be called twice. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts services in order and stops them in reverse. When one fails to start, those already running are stopped and
 * the failure is thrown on.
 */
export class Lifecycle {
  readonly #services: readonly Service[]
  readonly #log: Log
  readonly #running: Service[] = []
  #stopping: Promise<void> | undefined

  constructor({ services, log }: { services: readonly Service[]; log: Log }) {
    this.#services = services
    this.#log = log
  }

  async start(): Promise<void> {
    for (const service of this.#services) {
      // Stopped while it was starting: what has not begun yet does not begin any more.
      if (this.#stopping !== undefined) return this.#stopping
      try {
        await service.start()
      } catch (error) {
        await this.stop()
        throw error
      }
      this.#running.push(service)
      this.#log.debug({ service: service.name }, 'started')
      if (this.#stopping !== undefined) await this.#stopAll()
    }
  }

  /** Stops everything even when one service fails to stop; the failure is logged. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    for (const service of this.#running.splice(0).reverse()) {
      try {
        await service.stop()
        this.#log.debug({ service: service.name }, 'stopped')
      } catch (err) {
        this.#log.error({ service: service.name, err }, 'stop failed')
      }
    }
  }
}

/** Runs `stop` once on SIGINT or SIGTERM; a second signal ends the process at once. */
export function onShutdownSignal(stop: () => Promise<void>): void {
  let asked = false
  const handle = () => {
    if (asked) process.exit(130)
    asked = true
    void stop().finally(() => process.exit())
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
}
