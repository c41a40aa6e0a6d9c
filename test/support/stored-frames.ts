import type { AppendResult, NewFrame, RecordStore } from '@sightline/hub/store/record-store.js'

export const SESSION = '01J00000000000000000000000'

export interface StoredFrameSpec {
  readonly vector: Float32Array
  readonly site?: string
  readonly node?: string
  readonly camera?: string
  readonly capturedAt?: number
  readonly fingerprint?: string
  readonly verdicts?: NewFrame['verdicts']
}

/** Puts frames into a store as deliveries of one node would, and tells who listens, as the ingest does. */
export class FrameSource {
  readonly #store: RecordStore
  readonly #listeners = new Set<(result: AppendResult) => void>()
  #seq = 0

  constructor(store: RecordStore) {
    this.#store = store
  }

  on(_event: 'stored', listener: (result: AppendResult) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(result: AppendResult): void {
    for (const listener of this.#listeners) listener(result)
  }

  /** Stores without telling anybody. */
  async append(frames: readonly StoredFrameSpec[]): Promise<AppendResult> {
    const { site = 'site', node = 'node', fingerprint = 'test:000000000000' } = frames[0] ?? {}
    return this.#store.append({
      site,
      node,
      session: SESSION,
      fingerprint,
      historical: false,
      receivedAt: 1000,
      frames: frames.map(
        ({ vector, camera = 'camera', capturedAt, verdicts = [] }): NewFrame => ({
          seq: ++this.#seq,
          camera,
          capturedAt: capturedAt ?? 1000 * this.#seq,
          vector,
          verdicts,
        }),
      ),
      events: [],
      skipped: [],
    })
  }

  async store(frames: readonly StoredFrameSpec[]): Promise<AppendResult> {
    const result = await this.append(frames)
    this.emit(result)
    return result
  }
}
