import { type Clock, fault, isFault, messageOf, redactUrl } from '@sightline/core'
import type { Camera, CameraSettings, Frame } from './camera.ts'
import { withDeadline } from './deadline.ts'
import { multipartBodies, multipartBoundary } from './multipart.ts'

/** JPEG snapshots asked for at `fps`, or one MJPEG stream thinned to `fps`: the answer's Content-Type decides. */
export class HttpCamera implements Camera {
  readonly name: string
  readonly source: string
  readonly pushes = true
  readonly #settings: CameraSettings
  readonly #clock: Clock
  readonly #url: URL
  readonly #headers: Record<string, string> = {}

  constructor({ settings, url, clock }: { settings: CameraSettings; url: URL; clock: Clock }) {
    this.name = settings.name
    this.source = redactUrl(settings.source)
    this.#settings = settings
    this.#clock = clock
    this.#url = new URL(url)
    if (url.username !== '' || url.password !== '') {
      // fetch refuses credentials in an address; it would also quote them in its errors.
      const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      this.#headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
      this.#url.username = ''
      this.#url.password = ''
    }
  }

  async *frames(signal: AbortSignal): AsyncIterable<Frame> {
    // Whatever ends this, the connection ends with it.
    const ended = new AbortController()
    try {
      yield* this.#open(AbortSignal.any([signal, ended.signal]))
    } catch (cause) {
      if (signal.aborted) return
      if (isFault(cause)) throw cause
      throw fault('CAMERA_FAILED', `${this.source}: ${reasonOf(cause)}`, { cause })
    } finally {
      ended.abort()
    }
  }

  async *#open(signal: AbortSignal): AsyncIterable<Frame> {
    let response = await this.#request(signal)
    const boundary = multipartBoundary(response.headers.get('content-type') ?? '')
    if (boundary !== undefined) return yield* this.#stream(response, boundary)
    let dueMs = this.#clock.monotonic()
    while (true) {
      yield this.#frame(await this.#body(response))
      dueMs = Math.max(dueMs + 1000 / this.#settings.fps, this.#clock.monotonic())
      await this.#clock.sleep(dueMs - this.#clock.monotonic(), signal)
      response = await this.#request(signal)
    }
  }

  async *#stream(response: Response, boundary: string): AsyncIterable<Frame> {
    const { fps, maxFrameBytes } = this.#settings
    const parts = multipartBodies(bodyOf(response), { boundary, maxPartBytes: maxFrameBytes })
    const bodies = parts[Symbol.asyncIterator]()
    let dueMs = this.#clock.monotonic()
    while (true) {
      const { done, value } = await this.#within('the next frame', () => bodies.next())
      if (done) throw fault('CAMERA_FAILED', `${this.source}: the camera ended the stream`)
      const nowMs = this.#clock.monotonic()
      if (nowMs < dueMs) continue
      dueMs = Math.max(dueMs + 1000 / fps, nowMs)
      yield this.#frame(value)
    }
  }

  #request(signal: AbortSignal): Promise<Response> {
    return this.#within('an answer', async () => {
      const response = await fetch(this.#url, { headers: this.#headers, signal })
      if (!response.ok) throw fault('CAMERA_FAILED', `${this.source}: HTTP status ${response.status}`)
      return response
    })
  }

  #body(response: Response): Promise<Uint8Array> {
    const { maxFrameBytes } = this.#settings
    return this.#within('the picture', async () => {
      const chunks: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of bodyOf(response)) {
        bytes += chunk.length
        if (bytes > maxFrameBytes) {
          throw fault('CAMERA_FAILED', `${this.source}: a picture longer than ${maxFrameBytes} bytes`)
        }
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    })
  }

  #within<T>(what: string, work: () => Promise<T>): Promise<T> {
    const timeoutMs = this.#settings.timeoutSeconds * 1000
    return withDeadline({ clock: this.#clock, timeoutMs, what: `${this.source}: ${what}` }, work)
  }

  #frame(image: Uint8Array): Frame {
    return { camera: this.name, capturedAt: this.#clock.now(), image }
  }
}

function bodyOf(response: Response): AsyncIterable<Uint8Array> {
  if (response.body === null) throw fault('CAMERA_FAILED', 'the answer has no body')
  return response.body as unknown as AsyncIterable<Uint8Array>
}

/** fetch says only `fetch failed`; what happened stands in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return redactUrl(messageOf(cause ?? error))
}
