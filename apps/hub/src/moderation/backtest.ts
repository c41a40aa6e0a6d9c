import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type CompiledRule, fault, type Log, type Rule, type RuleBundle, type Service } from '@sightline/core'
import { WorkerChannel } from '../index/worker-channel.ts'
import type { FrameFilter, RecordStore } from '../store/record-store.ts'
import type { BacktestFindings, FindingsPlan } from './backtest-findings.ts'
import type { ScanColumns } from './backtest-scan.ts'
import type { BacktestCall, BacktestWorkerStart } from './backtest-worker.ts'

/** Frames between two reports of progress, and the longest that a cancelled scan goes on: some ten milliseconds each. */
const STRETCH = 16_384
const MAX_THREADS = 4
/** More at once are refused: each uses all threads. */
const MAX_RUNNING = 2
/** 29 bytes each while they are gathered. */
const MAX_FRAMES = 5_000_000

export interface BacktestJob {
  /** The one rule, compiled for the hub's model. */
  readonly bundle: RuleBundle
  readonly filter: FrameFilter
  /** Globs of the sites and groups whose devices get the rule; default: all. */
  readonly audience?: Pick<Rule, 'sites' | 'groups'> | undefined
  /** Frames to tell of each kind, and incidents. */
  readonly top: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: BacktestProgress) => void
}

export interface BacktestProgress {
  /** Stored frames looked at so far, and in all. */
  readonly scanned: number
  readonly total: number
  /** Of those, frames that the rule was put to. */
  readonly frames: number
}

export interface BacktestReport {
  readonly rule: CompiledRule
  readonly findings: BacktestFindings
  readonly scanned: number
  readonly otherModels: number
  readonly tookMs: number
}

/** Reviewed frames of a rule. */
export type LabelsOf = (rule: Rule['id']) => FindingsPlan['labels']

export interface BacktestOptions {
  readonly store: Pick<RecordStore, 'frameSource' | 'recent' | 'nodes'>
  readonly labelsOf: LabelsOf
  readonly log: Log
}

/**
 * Puts one rule to the frames that are stored, on threads that read the store by themselves: ingest and searches go on
 * meanwhile.
 */
export class Backtest implements Service {
  readonly name = 'backtest'
  readonly #options: BacktestOptions
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<unknown>>()

  constructor(options: BacktestOptions) {
    this.#options = options
  }

  async start(): Promise<void> {}

  /** Ends what is under way, and waits until the store is let go. */
  async stop(): Promise<void> {
    this.#stopping.abort(fault('NOT_READY', 'the hub is stopping'))
    await Promise.allSettled(this.#running)
  }

  /** @throws API_BUSY when a job cannot begin now */
  check(): void {
    if (this.#running.size >= MAX_RUNNING) throw fault('API_BUSY', `${MAX_RUNNING} backtests are under way`)
  }

  /**
   * Ends soon after `signal`, with its reason.
   * @throws API_BUSY; API_BAD_REQUEST when too many frames match; STORE_FAILED; the signal's reason
   */
  async run(job: BacktestJob): Promise<BacktestReport> {
    this.check()
    const signal = AbortSignal.any([job.signal, this.#stopping.signal])
    const running = this.#onThreads({ ...job, signal })
    this.#running.add(running)
    try {
      return await running
    } catch (err) {
      if (!signal.aborted) this.#options.log.error({ err, rule: job.bundle.rules[0]?.id }, 'backtest failed')
      throw err
    } finally {
      this.#running.delete(running)
    }
  }

  async #onThreads(job: BacktestJob): Promise<BacktestReport> {
    const audience = job.audience && { ...job.audience, groupOf: this.#groups() }
    const plan = { bundle: job.bundle, filter: job.filter, audience }
    const start: BacktestWorkerStart = { source: this.#options.store.frameSource(), plan }
    const threads = Array.from({ length: Math.min(MAX_THREADS, availableParallelism()) }, () => spawn(start))
    try {
      return await this.#run(job, threads)
    } finally {
      await Promise.all(threads.map(thread => thread.close()))
    }
  }

  #groups(): Record<string, string> {
    const nodes = this.#options.store.nodes()
    return Object.fromEntries(
      nodes.flatMap(({ site, node, state }) =>
        state === null ? [] : [[`${site}~${node}`, state.rulesGroup]],
      ),
    )
  }

  async #run(job: BacktestJob, threads: readonly WorkerChannel[]): Promise<BacktestReport> {
    const { store, labelsOf, log } = this.#options
    const startedAt = performance.now()
    const rule = job.bundle.rules[0]!
    const chunks = await scanAll(job, threads, store.recent({}, 1)[0]?.ord ?? 0)
    const plan = { rule, top: job.top, labels: labelsOf(rule.id) }
    const findings = await ask<BacktestFindings>(threads[0]!, { op: 'find', chunks, plan })
    job.signal.throwIfAborted()
    const sum = (key: 'scanned' | 'otherModels') => chunks.reduce((total, chunk) => total + chunk[key], 0)
    const report = { rule, findings, scanned: sum('scanned'), otherModels: sum('otherModels') }
    const tookMs = performance.now() - startedAt
    log.info({ rule: rule.id, scanned: report.scanned, frames: findings.frames, tookMs }, 'backtest done')
    return { ...report, tookMs }
  }
}

/** Every thread takes the next stretch as soon as it is done with one. */
async function scanAll(
  { signal, onProgress }: BacktestJob,
  threads: readonly WorkerChannel[],
  last: number,
): Promise<ScanColumns[]> {
  const chunks: ScanColumns[] = []
  let [next, done, frames] = [0, 0, 0]
  const lane = async (thread: WorkerChannel) => {
    while (next < last) {
      signal.throwIfAborted()
      const after = next
      next = Math.min(last, after + STRETCH)
      const upTo = next
      const chunk = await ask<ScanColumns>(thread, { op: 'scan', after, upTo })
      chunks.push(chunk)
      done += upTo - after
      frames += chunk.count
      if (frames > MAX_FRAMES) {
        next = last
        throw fault('API_BAD_REQUEST', `more than ${MAX_FRAMES} frames match; narrow the filter`)
      }
      onProgress({ scanned: done, total: last, frames })
    }
  }
  // All of them, so that no thread still works when the store is let go.
  const outcomes = await Promise.allSettled(threads.map(lane))
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  signal.throwIfAborted()
  return chunks
}

function spawn(start: BacktestWorkerStart): WorkerChannel {
  return new WorkerChannel(
    new Worker(new URL('./backtest-worker.js', import.meta.url), { workerData: start }),
  )
}

function ask<T>(thread: WorkerChannel, call: BacktestCall): Promise<T> {
  return thread.call<T>(call)
}
