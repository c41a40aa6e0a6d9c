import { Worker } from 'node:worker_threads'
import type { ClipModel, Clock, Service } from '@sightline/core'
import { WorkerChannel } from '../index/worker-channel.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { DriftFindings, DriftPlan } from './drift-scan.ts'

/** A report changes slowly, and making one reads up to half a million frames. */
const KEEP_MS = 10 * 60_000

export interface DriftReportOptions {
  readonly store: Pick<RecordStore, 'frameSource' | 'lastOrd'>
  readonly model: Pick<ClipModel, 'fingerprint'>
  readonly clock: Pick<Clock, 'now'>
}

export interface Drift extends DriftFindings {
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Whether what cameras see still is what they saw: made on a thread of its own when asked for, at most every ten minutes. */
export class DriftReport implements Service {
  readonly name = 'drift'
  readonly #options: DriftReportOptions
  #made: Drift | undefined
  #making: Promise<Drift> | undefined

  constructor(options: DriftReportOptions) {
    this.#options = options
  }

  async start(): Promise<void> {}

  /** Waits until the store is let go. */
  async stop(): Promise<void> {
    await this.#making?.catch(() => {})
  }

  /** @throws STORE_FAILED */
  async report(): Promise<Drift> {
    const { clock } = this.#options
    if (this.#made !== undefined && clock.now() - this.#made.at < KEEP_MS) return this.#made
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #make(): Promise<Drift> {
    const { store, model, clock } = this.#options
    const plan: DriftPlan = { fingerprint: model.fingerprint, at: clock.now(), upTo: store.lastOrd() }
    const thread = new WorkerChannel(
      new Worker(new URL('./drift-worker.js', import.meta.url), { workerData: store.frameSource() }),
    )
    try {
      this.#made = { at: plan.at, ...(await thread.call<DriftFindings>(plan)) }
      return this.#made
    } finally {
      await thread.close()
    }
  }
}
