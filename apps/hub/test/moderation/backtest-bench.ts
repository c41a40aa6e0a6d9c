import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { Backtest, type BacktestJob, type BacktestReport } from '@sightline/hub/moderation/backtest.js'
import type { FindingsPlan } from '@sightline/hub/moderation/backtest-findings.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach } from 'vitest'
import { FrameSource, type StoredFrameSpec } from '../../../../test/support/stored-frames.ts'
import { axis, compiledFor, FINGERPRINT } from './rules.ts'

const log = createLog({ name: 'test', level: 'silent' })
export const KNIFE = { id: 'knife', name: 'Knife', positives: ['axis:0'], negatives: ['axis:1'] }
export const HIT = axis(0)
export const MISS = axis(1)

/** A second apart. */
export function framesOf(
  vectors: readonly Float32Array[],
  startAt = 0,
  change: Partial<StoredFrameSpec> = {},
): StoredFrameSpec[] {
  return vectors.map((vector, i) => ({
    vector,
    capturedAt: startAt + 1000 * i,
    fingerprint: FINGERPRINT,
    ...change,
  }))
}

/** An empty store for each test, and backtests over it. */
export class BacktestBench {
  labels: FindingsPlan['labels'] = []
  #dir = ''
  #store: RecordStore | undefined
  #source: FrameSource | undefined

  /** For each test of the file. */
  static inEachTest(): BacktestBench {
    const bench = new BacktestBench()
    beforeEach(async () => {
      bench.#dir = await mkdtemp(join(tmpdir(), 'backtest-'))
      bench.#store = await openLmdbStore({ dir: bench.#dir, clock: systemClock, log, minFreeBytes: 0 })
      bench.#source = new FrameSource(bench.#store)
      bench.labels = []
    })
    afterEach(async () => {
      await bench.store.close()
      await rm(bench.#dir, { recursive: true })
    })
    return bench
  }

  get store(): RecordStore {
    return this.#store!
  }

  get source(): FrameSource {
    return this.#source!
  }

  newBacktest(): Backtest {
    return new Backtest({ store: this.store, labelsOf: () => this.labels, log })
  }

  async run(
    rule: Record<string, unknown> = KNIFE,
    change: Partial<BacktestJob> = {},
  ): Promise<BacktestReport> {
    const { bundle } = await compiledFor([rule])
    const signal = new AbortController().signal
    return this.newBacktest().run({ bundle, filter: {}, top: 24, signal, onProgress: () => {}, ...change })
  }
}
