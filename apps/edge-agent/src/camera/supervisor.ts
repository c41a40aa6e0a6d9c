import {
  type Backoff,
  type CameraStatus,
  type Clock,
  isFault,
  type Log,
  messageOf,
  redactUrl,
} from '@sightline/core'
import type { Camera, Frame } from './camera.ts'
import { newest } from './newest.ts'

/** A camera that has given frames for this long is healthy again: the next failure starts at the shortest delay. */
const HEALTHY_MS = 60_000
const MAX_ERROR_CHARS = 500

export interface SupervisorEvents {
  /** The status changed in kind (not merely the time of the last frame). */
  readonly onStatus?: () => void
  readonly onDrop?: () => void
}

/** Keeps a camera going: opens it again with back-off when it dies, and knows how it is. */
export class CameraSupervisor {
  readonly name: string
  readonly #camera: Camera
  readonly #backoff: Backoff
  readonly #clock: Clock
  readonly #log: Log
  readonly #events: SupervisorEvents
  #status: CameraStatus['status'] = 'starting'
  #lastFrameAt: number | null = null
  #error: string | undefined

  constructor(
    { camera, backoff, clock, log }: { camera: Camera; backoff: Backoff; clock: Clock; log: Log },
    events: SupervisorEvents = {},
  ) {
    this.name = camera.name
    this.#camera = camera
    this.#backoff = backoff
    this.#clock = clock
    this.#log = log.child({ camera: camera.name })
    this.#events = events
  }

  status(): CameraStatus {
    const error = this.#error === undefined ? {} : { error: this.#error }
    return { camera: this.name, status: this.#status, lastFrameAt: this.#lastFrameAt, ...error }
  }

  /** Frames of all lives of the camera. Ends only by `signal`, or when a source that does not repeat is at its end. */
  async *frames(signal: AbortSignal): AsyncIterable<Frame> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      let firstFrameMs: number | undefined
      // A life ends with its consumer too, not by `signal` alone.
      const life = new AbortController()
      try {
        for await (const frame of this.#open(AbortSignal.any([signal, life.signal]))) {
          firstFrameMs ??= this.#clock.monotonic()
          this.#lastFrameAt = frame.capturedAt
          this.#set('running', undefined)
          yield frame
        }
        if (signal.aborted) return
        this.#set('failed', 'the source has ended, and repeat is off')
        return
      } catch (error) {
        if (signal.aborted) return
        if (firstFrameMs !== undefined && this.#clock.monotonic() - firstFrameMs > HEALTHY_MS) attempt = 0
        const delayMs = this.#backoff.delayMs(attempt)
        this.#log.warn(
          { err: error, source: this.#camera.source, delayMs },
          'camera failed; opening it again',
        )
        this.#set('failed', describe(error))
        await this.#clock.sleep(delayMs, signal).catch(() => {})
      } finally {
        life.abort()
      }
    }
  }

  #open(signal: AbortSignal): AsyncIterable<Frame> {
    const frames = this.#camera.frames(signal)
    return this.#camera.pushes ? newest(frames, () => this.#events.onDrop?.()) : frames
  }

  #set(status: CameraStatus['status'], error: string | undefined): void {
    const changed = status !== this.#status || error !== this.#error
    this.#status = status
    this.#error = error
    if (changed) this.#events.onStatus?.()
  }
}

function describe(error: unknown): string {
  const text = isFault(error) ? `${error.code}: ${error.message}` : messageOf(error)
  return redactUrl(text).slice(0, MAX_ERROR_CHARS)
}
