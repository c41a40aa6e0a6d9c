import type { EmbeddedFrame, RecordStore } from '../store/record-store.ts'

/** Frames that wait while others are added; more are read from the store. */
const MAX_PENDING = 4096

/** What was stored and is not indexed yet: frames that follow on what is known, or that there are more in the store. */
export class StoredNews {
  #pending: EmbeddedFrame[] = []
  #missed = false

  /** Whether the store must be read. */
  get missed(): boolean {
    return this.#missed
  }

  get isEmpty(): boolean {
    return !this.#missed && this.#pending.length === 0
  }

  /** @param seen newest ord that was looked at */
  take(frames: readonly EmbeddedFrame[], seen: number): void {
    const next = (this.#pending.at(-1)?.ord ?? seen) + 1
    const follows = frames.every((frame, i) => frame.ord === next + i)
    if (follows && this.#pending.length < MAX_PENDING) this.#pending.push(...frames)
    else this.#missed = true
  }

  miss(): void {
    this.#missed = true
  }

  /** The frames that follow; they do not wait any more. */
  drain(): EmbeddedFrame[] {
    return this.#pending.splice(0)
  }

  /** The store is about to be read up to its end. */
  reset(): void {
    this.#missed = false
    this.#pending = []
  }
}

/** The first `count` frames above `after`. */
export function framesAfter(store: Pick<RecordStore, 'scan'>, after: number, count: number): EmbeddedFrame[] {
  const portion: EmbeddedFrame[] = []
  for (const frame of store.scan(after)) if (portion.push(frame) === count) break
  return portion
}
