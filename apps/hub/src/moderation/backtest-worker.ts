import { parentPort, workerData } from 'node:worker_threads'
import { isFault, messageOf } from '@sightline/core/errors.js'
import type { Answer } from '../index/segment-worker.ts'
import { openFrameReader } from '../store/frame-reader.ts'
import type { FrameSource } from '../store/record-store.ts'
import { type BacktestFindings, backtestFindings, type FindingsPlan } from './backtest-findings.ts'
import { BacktestScan, type ScanColumns, type ScanPlan } from './backtest-scan.ts'

export interface BacktestWorkerStart {
  readonly source: FrameSource
  readonly plan: ScanPlan
}

export type BacktestCall =
  | { readonly op: 'scan'; readonly after: number; readonly upTo: number }
  | { readonly op: 'find'; readonly chunks: readonly ScanColumns[]; readonly plan: FindingsPlan }

const { source, plan } = workerData as BacktestWorkerStart
const reader = openFrameReader(source)
const scan = new BacktestScan({ reader, plan })

parentPort!.on('message', (message: 'close' | { id: number; call: BacktestCall }) => {
  // A thread that did not let go of the store would hold its pages.
  if (message === 'close') void reader.close().finally(() => parentPort!.close())
  else reply(message.id, message.call)
})

function reply(id: number, call: BacktestCall): void {
  let answer: Answer<unknown>
  try {
    answer = { id, result: answerTo(call) }
  } catch (error) {
    answer = { id, error: { code: isFault(error) ? error.code : 'INTERNAL', message: messageOf(error) } }
  }
  parentPort!.postMessage(answer)
}

function answerTo(call: BacktestCall): ScanColumns | BacktestFindings {
  switch (call.op) {
    case 'scan':
      return scan.scan(call.after, call.upTo)
    case 'find':
      return backtestFindings(call.chunks, call.plan)
  }
}
