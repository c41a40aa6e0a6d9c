import { execFile } from 'node:child_process'
import type { Log } from './log.ts'

const NOTIFY_TIMEOUT_MS = 5000

export interface ServiceManagerOptions {
  /** Of the process: NOTIFY_SOCKET, WATCHDOG_USEC. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Sends one notification; default: the `systemd-notify` command. */
  readonly notify?: (state: string) => Promise<void>
}

/**
 * Tells systemd when the process is ready and that its event loop still turns (sd_notify(3): Type=notify, WatchdogSec).
 * Does nothing under another service manager. The unit needs `NotifyAccess=all`, since a command of systemd's does the
 * talking: Node.js has no datagram sockets in the file system.
 */
export class ServiceManager {
  readonly #options: ServiceManagerOptions
  readonly #notify: (state: string) => Promise<void>
  #watchdog: NodeJS.Timeout | undefined

  constructor(options: ServiceManagerOptions) {
    this.#options = options
    this.#notify = options.notify ?? systemdNotify
  }

  /** Call once everything has started. */
  async ready(): Promise<void> {
    const { NOTIFY_SOCKET, WATCHDOG_USEC } = this.#options.env
    if (NOTIFY_SOCKET === undefined) return
    await this.#tell('READY=1')
    const watchdogMs = Number(WATCHDOG_USEC ?? 0) / 1000
    if (!(watchdogMs > 0)) return
    // A third: one that is late, and one that is lost, do no harm.
    this.#watchdog = setInterval(() => void this.#tell('WATCHDOG=1'), watchdogMs / 3)
    this.#watchdog.unref()
  }

  /** Call before anything is stopped. The watchdog goes on until the process ends. */
  async stopping(): Promise<void> {
    if (this.#options.env.NOTIFY_SOCKET !== undefined) await this.#tell('STOPPING=1')
  }

  /** Ends the watchdog's timer. */
  close(): void {
    clearInterval(this.#watchdog)
  }

  async #tell(state: string): Promise<void> {
    try {
      await this.#notify(state)
    } catch (err) {
      // systemd decides what becomes of a service that it does not hear of.
      this.#options.log.warn({ err, state }, 'systemd was not told')
    }
  }
}

async function systemdNotify(state: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile('systemd-notify', [state], { timeout: NOTIFY_TIMEOUT_MS }, error =>
      error === null ? resolve() : reject(error),
    )
  })
}
