import type { Frame } from './camera.ts'

/** Lets others have a frame of a camera that is open already: many cameras serve one reader only. */
export class FrameTap {
  #waiting: ((frame: Frame) => void)[] = []

  async *through(frames: AsyncIterable<Frame>): AsyncIterable<Frame> {
    for await (const frame of frames) {
      for (const take of this.#waiting.splice(0)) take(frame)
      yield frame
    }
  }

  /** The next frame that comes. Rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const stop = () => {
        this.#waiting = this.#waiting.filter(each => each !== take)
        reject(signal.reason)
      }
      const take = (frame: Frame) => {
        signal.removeEventListener('abort', stop)
        resolve(frame)
      }
      signal.addEventListener('abort', stop, { once: true })
      this.#waiting.push(take)
    })
  }
}
