import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, fault, isFault, messageOf } from '@sightline/core/errors.js'
import { loadSegment, type SealRequest, type SegmentGraph, sealSegment } from './segment-graph.ts'
import type { SegmentHeader } from './segment-header.ts'
import { TopK } from './top-k.ts'
import type { IndexFilter, IndexHit } from './vector-index.ts'

/**
 * Native graph calls block their thread, so they run in two kinds of worker: a builder, which seals one segment and
 * ends, and a reader, which holds all sealed segments and answers.
 */
export type WorkerStart =
  | { readonly role: 'build'; readonly request: SealRequest }
  | { readonly role: 'read'; readonly dir: string }

/** `after` names a segment, see `SegmentHeader`. */
export type ReaderCall =
  | { readonly op: 'load'; readonly header: SegmentHeader }
  | { readonly op: 'drop'; readonly after: readonly number[] }
  | {
      readonly op: 'search'
      readonly after: readonly number[]
      readonly query: Float32Array
      readonly k: number
      readonly filter: IndexFilter | undefined
    }

export type Answer<T> =
  | { readonly id: number; readonly result: T }
  | { readonly id: number; readonly error: { readonly code: ErrorCode; readonly message: string } }

const start = workerData as WorkerStart
if (start.role === 'build') reply(0, () => sealSegment(start.request))
else serve(start.dir)

function serve(dir: string): void {
  const segments = new Map<number, SegmentGraph>()
  parentPort!.on('message', (message: 'close' | { id: number; call: ReaderCall }) => {
    if (message === 'close') return parentPort!.close()
    reply(message.id, () => answer(dir, segments, message.call))
  })
}

function answer(dir: string, segments: Map<number, SegmentGraph>, call: ReaderCall): IndexHit[] {
  switch (call.op) {
    case 'load':
      segments.set(call.header.after, loadSegment(dir, call.header))
      return []
    case 'drop':
      for (const after of call.after) segments.delete(after)
      return []
    case 'search': {
      const best = new TopK(call.k)
      for (const after of call.after) {
        const segment = segments.get(after)
        if (segment === undefined) throw fault('NOT_READY', `the segment after ${after} is not loaded`)
        segment.search(call.query, call.k, call.filter, best)
      }
      return best.hits()
    }
  }
}

function reply(id: number, work: () => unknown): void {
  try {
    parentPort!.postMessage({ id, result: work() })
  } catch (error) {
    const code = isFault(error) ? error.code : 'INTERNAL'
    parentPort!.postMessage({ id, error: { code, message: messageOf(error) } })
  }
}
