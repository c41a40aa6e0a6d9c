/** Server-sent events of the hub (WHATWG HTML, 9.2), kept open. */

export type LiveState = 'connecting' | 'live' | 'lost'

/** `resync`: something of what was told is gone, and the present should be read anew. */
export const LIVE_EVENTS = ['frame', 'incident', 'node', 'saved-search', 'resync'] as const
export type LiveEventName = (typeof LIVE_EVENTS)[number]

/** The part of EventSource that is used. */
export interface EventStream {
  addEventListener(name: string, listener: (event: { readonly data?: unknown }) => void): void
  close(): void
}

export interface LiveConnectionOptions {
  readonly open: () => EventStream
  readonly onEvent: (name: LiveEventName, data: unknown) => void
  readonly onState: (state: LiveState) => void
  /** Calls back after the delay; returns how to cancel it. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void
}

const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 15_000
/** The hub says something every 15 s. A line that breaks without a word is open for ever, as the browser sees it. */
const LISTEN_MS = 35_000

/**
 * EventSource gives up for good after an HTTP error (a hub that is still loading answers 503), so every failure is
 * answered here, with a delay that doubles.
 */
export class LiveConnection {
  readonly #options: LiveConnectionOptions
  #stream: EventStream | undefined
  #cancelRetry: () => void = () => {}
  #cancelListen: () => void = () => {}
  #heard = false
  #delayMs = FIRST_DELAY_MS

  constructor(options: LiveConnectionOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#stream !== undefined) return
    this.#options.onState('connecting')
    this.#connect()
  }

  stop(): void {
    this.#cancelRetry()
    this.#cancelListen()
    this.#stream?.close()
    this.#stream = undefined
  }

  /** Tries at once, for a reader who does not want to wait. */
  retryNow(): void {
    this.stop()
    this.#connect()
  }

  #connect(): void {
    const { open, onEvent, onState } = this.#options
    const stream = open()
    this.#stream = stream
    stream.addEventListener('open', () => {
      this.#delayMs = FIRST_DELAY_MS
      onState('live')
      this.#listen(stream)
    })
    stream.addEventListener('error', () => this.#retry(stream))
    stream.addEventListener('alive', () => {
      this.#heard = true
    })
    for (const name of LIVE_EVENTS) {
      stream.addEventListener(name, ({ data }) => {
        this.#heard = true
        const parsed = parse(data)
        if (parsed !== undefined) onEvent(name, parsed)
      })
    }
  }

  #listen(stream: EventStream): void {
    if (stream !== this.#stream) return
    this.#heard = false
    this.#cancelListen = this.#options.schedule(
      () => (this.#heard ? this.#listen(stream) : this.#retry(stream)),
      LISTEN_MS,
    )
  }

  #retry(failed: EventStream): void {
    if (failed !== this.#stream) return
    this.stop()
    this.#options.onState('lost')
    this.#cancelRetry = this.#options.schedule(() => this.#connect(), this.#delayMs)
    this.#delayMs = Math.min(2 * this.#delayMs, MAX_DELAY_MS)
  }
}

function parse(data: unknown): unknown {
  try {
    return typeof data === 'string' ? JSON.parse(data) : undefined
  } catch {
    return undefined
  }
}
