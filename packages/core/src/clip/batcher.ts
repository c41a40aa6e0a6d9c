import type { Clock } from '../clock.ts'
import { fault, type SightlineError } from '../errors.ts'

export interface BatcherOptions<Item, Result> {
  /** Runs one batch; answers in the order of the items, a fault where one of them alone failed. */
  readonly run: (items: readonly Item[]) => Promise<readonly (Result | SightlineError)[]>
  readonly clock: Clock
  readonly limits: BatchLimits
  /** Starts a run when its turn comes; what is submitted until then runs with it. Default: at once. */
  readonly admit?: <Ran>(run: () => Promise<Ran>) => Promise<Ran>
}

export interface BatchLimits {
  /** Most items in one run. */
  readonly maxBatch: number
  /** How long the first item may wait for company. 0: take what is there. */
  readonly maxWaitMs: number
  /** Most items waiting; one more is refused with MODEL_BUSY. */
  readonly maxQueued: number
}

export interface BatchStats {
  readonly runs: number
  readonly items: number
  readonly queued: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly signal: AbortSignal | undefined
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

/** Forms batches of what several callers submit, one batch running at a time, first come first served. */
export class Batcher<Item, Result> {
  readonly #run: BatcherOptions<Item, Result>['run']
  readonly #clock: Clock
  readonly #limits: BatchLimits
  readonly #admit: NonNullable<BatcherOptions<Item, Result>['admit']>
  readonly #queue: Waiting<Item, Result>[] = []
  #draining: Promise<void> | undefined
  #filled = new AbortController()
  #closed = false
  #runs = 0
  #items = 0

  constructor({ run, clock, limits, admit = start => start() }: BatcherOptions<Item, Result>) {
    this.#run = run
    this.#clock = clock
    this.#limits = limits
    this.#admit = admit
  }

  get stats(): BatchStats {
    return { runs: this.#runs, items: this.#items, queued: this.#queue.length }
  }

  /**
   * @param signal drops the item while it waits; a run that has begun is finished
   * @throws MODEL_BUSY, MODEL_FAILED when closed, the signal's reason, or whatever the run answers
   */
  submit(item: Item, signal?: AbortSignal): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#closed) return Promise.reject(fault('MODEL_FAILED', 'the model is closed'))
    if (this.#queue.length >= this.#limits.maxQueued) {
      return Promise.reject(fault('MODEL_BUSY', `${this.#queue.length} items already wait for the model`))
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Item, Result> = { item, signal, resolve, reject }
      signal?.addEventListener('abort', () => this.#drop(waiting), { once: true })
      this.#queue.push(waiting)
      if (this.#queue.length >= this.#limits.maxBatch) this.#filled.abort()
      this.#draining ??= this.#drain()
    })
  }

  /** Refuses new items and resolves when those accepted are done. */
  async close(): Promise<void> {
    this.#closed = true
    this.#filled.abort()
    await this.#draining
  }

  async #drain(): Promise<void> {
    // A turn of the event loop, so that items submitted together run together.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#queue.length > 0) {
      await this.#waitForCompany()
      await this.#admit(async () => {
        const batch = this.#queue.splice(0, this.#limits.maxBatch)
        if (batch.length > 0) await this.#runBatch(batch)
      })
    }
    // In the same turn as the check above: an item submitted a turn later must find nobody draining.
    this.#draining = undefined
  }

  async #waitForCompany(): Promise<void> {
    const { maxBatch, maxWaitMs } = this.#limits
    if (maxWaitMs <= 0 || this.#closed || this.#queue.length >= maxBatch) return
    this.#filled = new AbortController()
    await this.#clock.sleep(maxWaitMs, this.#filled.signal).catch(() => undefined)
  }

  async #runBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#runs++
    this.#items += batch.length
    try {
      const results = await this.#run(batch.map(({ item }) => item))
      for (const [i, { resolve, reject }] of batch.entries()) {
        const result = results[i]!
        if (result instanceof Error) reject(result)
        else resolve(result)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  #drop(waiting: Waiting<Item, Result>): void {
    const at = this.#queue.indexOf(waiting)
    if (at < 0) return
    this.#queue.splice(at, 1)
    waiting.reject(waiting.signal?.reason)
  }
}
