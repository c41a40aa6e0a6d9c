import type { IndexFailPoint } from './manifest-log.ts'
import type { BuildRequest, Built } from './segment-build.ts'
import { type SpawnWorker, WorkerChannel } from './worker-channel.ts'

export interface SegmentBuilderOptions {
  readonly dir: string
  readonly dim: number
  readonly spawn: SpawnWorker
  readonly failPoint: ((name: IndexFailPoint) => void) | undefined
}

/** Builds segments, each on a thread of its own. */
export class SegmentBuilder {
  readonly #options: SegmentBuilderOptions
  /** Shared with the builders, see `BuildRequest`. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4))

  constructor(options: SegmentBuilderOptions) {
    this.#options = options
  }

  /** Undefined when nothing was left of the parts. */
  async build(
    request: Pick<BuildRequest, 'id' | 'parts' | 'after' | 'upTo' | 'patient'>,
  ): Promise<Built | undefined> {
    const { dir, dim, spawn, failPoint } = this.#options
    const whole = { ...request, dir, dim, stop: this.#stop }
    const builder = new WorkerChannel(spawn({ role: 'build', request: whole }))
    const built = await builder.only<Built | undefined>().finally(() => builder.exited)
    failPoint?.('segment built')
    return built
  }

  /** What is under way is abandoned, and rejects. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1)
  }
}
