import { parentPort, workerData } from 'node:worker_threads'
import { isFault, messageOf } from '@sightline/core/errors.js'
import type { Answer } from '../index/segment-worker.ts'
import { openFrameReader } from '../store/frame-reader.ts'
import type { FrameSource } from '../store/record-store.ts'
import { type DriftFindings, type DriftPlan, scanDrift } from './drift-scan.ts'

const reader = openFrameReader(workerData as FrameSource)

parentPort!.on('message', (message: 'close' | { id: number; call: DriftPlan }) => {
  // A thread that did not let go of the store would hold its pages.
  if (message === 'close') void reader.close().finally(() => parentPort!.close())
  else reply(message.id, message.call)
})

function reply(id: number, plan: DriftPlan): void {
  let answer: Answer<DriftFindings>
  try {
    answer = { id, result: scanDrift(reader, plan) }
  } catch (error) {
    answer = { id, error: { code: isFault(error) ? error.code : 'INTERNAL', message: messageOf(error) } }
  }
  parentPort!.postMessage(answer)
}
