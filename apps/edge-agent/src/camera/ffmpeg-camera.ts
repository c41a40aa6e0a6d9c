import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { type Clock, fault, isFault, messageOf, redactUrl } from '@sightline/core'
import type { Camera, CameraSettings, Frame } from './camera.ts'
import { withDeadline } from './deadline.ts'
import { jpegFiles } from './jpeg-stream.ts'

const STDERR_TAIL_CHARS = 2000

export interface FfmpegInput {
  /** What stands after ffmpeg's `-i`. */
  readonly url: string
  /** Options of the input, before `-i`. */
  readonly options: readonly string[]
  /** A file: it waits for its consumer and has an end; otherwise the source is live. */
  readonly isFile: boolean
}

/** Whatever ffmpeg reads, as JPEG at `fps`. */
export class FfmpegCamera implements Camera {
  readonly name: string
  readonly source: string
  readonly pushes: boolean
  readonly #settings: CameraSettings
  readonly #input: FfmpegInput
  readonly #clock: Clock

  constructor({ settings, input, clock }: { settings: CameraSettings; input: FfmpegInput; clock: Clock }) {
    this.name = settings.name
    this.source = redactUrl(settings.source)
    this.pushes = !input.isFile
    this.#settings = settings
    this.#input = input
    this.#clock = clock
  }

  async *frames(signal: AbortSignal): AsyncIterable<Frame> {
    do {
      yield* this.#play(signal)
    } while (this.#settings.repeat && this.#input.isFile && !signal.aborted)
    if (!this.#input.isFile && !signal.aborted) throw this.#failed('the stream has ended')
  }

  async *#play(signal: AbortSignal): AsyncIterable<Frame> {
    const child = spawn(this.#settings.ffmpegPath, this.#arguments(), { stdio: ['ignore', 'pipe', 'pipe'] })
    const kill = () => child.kill('SIGKILL')
    const tail = stderrTail(child.stderr)
    const exit = exitOf(child)
    signal.addEventListener('abort', kill, { once: true })
    if (signal.aborted) kill()
    let count = 0
    try {
      const files = jpegFiles(child.stdout, this.#settings)[Symbol.asyncIterator]()
      for (let file = await this.#next(files); !file.done; file = await this.#next(files)) {
        count++
        yield { camera: this.name, capturedAt: this.#clock.now(), image: file.value }
        // Frames that are in the pipe already belong to nobody.
        if (signal.aborted) return
      }
      const code = await exit
      if (signal.aborted) return
      if (code !== 0) throw this.#failed(`ffmpeg ended with ${code}: ${tail()}`)
      if (count === 0) throw this.#failed(`no frame in the source ${tail()}`)
    } catch (cause) {
      if (!signal.aborted) throw this.#explain(cause, tail())
    } finally {
      signal.removeEventListener('abort', kill)
      kill()
      // An unread pipe would keep the process object from closing.
      child.stdout.destroy()
      await exit.catch(() => {})
    }
  }

  #next(files: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
    const timeoutMs = this.#settings.timeoutSeconds * 1000
    const what = `${this.source}: the next frame`
    return withDeadline({ clock: this.#clock, timeoutMs, what }, () => files.next())
  }

  #arguments(): string[] {
    const { url, options } = this.#input
    const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error']
    const output = ['-an', '-sn', '-vf', `fps=${this.#settings.fps}`, '-f', 'image2pipe', '-c:v', 'mjpeg']
    return [...quiet, ...options, '-i', url, ...output, '-q:v', '4', 'pipe:1']
  }

  #explain(error: unknown, tail: string) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return fault('FFMPEG_MISSING', `${this.#settings.ffmpegPath} was not found; ${this.source} needs it`, {
        cause: error,
      })
    }
    return isFault(error) ? error : this.#failed(`${messageOf(error)} ${tail}`, error)
  }

  #failed(reason: string, cause?: unknown) {
    return fault('CAMERA_FAILED', redactUrl(`${this.source}: ${reason}`.trim()), { cause })
  }
}

/** Resolves with the exit code, or the signal's name; rejects when the program could not be started. */
function exitOf(child: ChildProcess): Promise<number | string> {
  const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  exit.catch(() => {})
  return exit
}

function stderrTail(stderr: Readable): () => string {
  let text = ''
  stderr.setEncoding('utf8').on('data', chunk => {
    text = (text + chunk).slice(-STDERR_TAIL_CHARS)
  })
  return () => text.trim().replaceAll('\n', '; ')
}
