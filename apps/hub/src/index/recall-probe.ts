import { type Clock, isFault, type Log, type Service } from '@sightline/core'
import type { IndexKeeper } from './index-keeper.ts'
import type { IndexQuery } from './vector-index.ts'

const EVERY_MS = 60_000
/** An exact search may take so much of the time, in parts of it, of one core. */
const MAX_SHARE = 0.01
const K = 10
const KEPT = 64
/** Below this, when it is known well enough, somebody should look. */
const LOW_RECALL = 0.95
const ENOUGH_PROBES = 16
/** Two scores that differ by less are equal. */
const EPSILON = 1e-6

export interface RecallProbeOptions {
  readonly index: Pick<IndexKeeper, 'ask' | 'recent' | 'background'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Asks the index now and then what people asked it, or what a stored frame would ask, once as ever and once exactly, and
 * keeps the share of true neighbours that were found. At most once a minute, and more rarely where that takes long.
 */
export class RecallProbe implements Service {
  readonly name = 'recall-probe'
  readonly #options: RecallProbeOptions
  readonly #ending = new AbortController()
  readonly #recalls: number[] = []
  #probes = 0
  #running: Promise<void> | undefined

  constructor(options: RecallProbeOptions) {
    this.#options = options
  }

  /** Recall@10, mean of the last 64 probes; NaN before the first. */
  get recall(): number {
    return this.#recalls.reduce((sum, recall) => sum + recall, 0) / this.#recalls.length
  }

  async start(): Promise<void> {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  /** One probe. @returns milliseconds that the exact search took; undefined when there is nothing to ask yet */
  async probe(): Promise<number | undefined> {
    const { index, clock } = this.#options
    const query = this.#query()
    if (query === undefined) return undefined
    const startedAt = clock.monotonic()
    const wanted = await index.ask({ ...query, exact: true })
    const tookMs = clock.monotonic() - startedAt
    const found = await index.ask({ ...query, exact: false })
    const worst = wanted.at(-1)?.similarity
    if (worst === undefined) return tookMs
    // Another frame of the same similarity is as good.
    const good = found.filter(({ similarity }) => similarity >= worst - EPSILON).length
    this.#recalls.push(Math.min(1, good / wanted.length))
    if (this.#recalls.length > KEPT) this.#recalls.shift()
    return tookMs
  }

  /** In turn one that somebody asked and one that a stored frame would ask. */
  #query(): IndexQuery | undefined {
    const { recent, background } = this.#options.index
    const turn = this.#probes++
    const asked = recent[turn % Math.max(1, recent.length)]
    const vector = background[(turn * 31) % Math.max(1, background.length)]
    const stored = vector && { vector, k: K }
    const query = turn % 2 === 0 ? (asked ?? stored) : (stored ?? asked)
    return query && { ...query, k: K }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#ending
    for (let pauseMs = EVERY_MS; ; ) {
      await clock.sleep(pauseMs, signal).catch(() => {})
      if (signal.aborted) return
      try {
        const tookMs = (await this.probe()) ?? 0
        pauseMs = Math.max(EVERY_MS, tookMs / MAX_SHARE)
        if (this.#recalls.length >= ENOUGH_PROBES && this.recall < LOW_RECALL)
          log.warn({ recall: this.recall }, 'index finds too little')
      } catch (err) {
        // While it is filled there is nothing to compare.
        if (!isFault(err, 'NOT_READY')) log.error({ err }, 'recall not measured')
      }
    }
  }
}
