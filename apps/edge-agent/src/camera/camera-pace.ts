import type { CameraStatus, Clock } from '@sightline/core'
import { Timings } from '../metrics.ts'
import type { Frame } from './camera.ts'

/** The rate is that of this long, or of the newest frames when they are many. */
const WINDOW_MS = 60_000
const MAX_FRAMES = 256

/** How fast one camera gives frames, and how soon they are judged. */
export class CameraPace {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Arrivals, oldest first. */
  readonly #arrivals: number[] = []
  readonly #decisions = new Timings()
  #decided = false

  constructor({ clock }: { clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = clock
  }

  async *through(frames: AsyncIterable<Frame>): AsyncIterable<Frame> {
    for await (const frame of frames) {
      this.#arrivals.push(this.#clock.monotonic())
      if (this.#arrivals.length > MAX_FRAMES) this.#arrivals.shift()
      yield frame
    }
  }

  decided(milliseconds: number): void {
    this.#decided = true
    this.#decisions.add(milliseconds)
  }

  /** The rate of a camera that hangs comes to 0 within a minute, or within three frames of a slow one. */
  reading(): Pick<CameraStatus, 'framesPerSecond' | 'decisionP95Ms'> {
    return {
      ...(this.#arrivals.length < 2 ? {} : { framesPerSecond: this.#rate() }),
      ...(this.#decided ? { decisionP95Ms: this.#decisions.percentile(95) } : {}),
    }
  }

  /** With two arrivals or more. */
  #rate(): number {
    const now = this.#clock.monotonic()
    const recent = this.#arrivals.filter(at => now - at <= WINDOW_MS)
    const counted = recent.length < 2 ? this.#arrivals.slice(-2) : recent
    const [first, last] = [counted[0]!, counted.at(-1)!]
    const apartMs = Math.max(1, last - first) / (counted.length - 1)
    return now - last > Math.max(WINDOW_MS, 3 * apartMs) ? 0 : 1000 / apartMs
  }
}
