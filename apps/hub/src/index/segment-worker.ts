import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, fault, isFault, messageOf } from '@sightline/core/errors.js'
import type { SharedMemory } from './kernel.ts'
import { type BuildRequest, buildSegment } from './segment-build.ts'
import { segmentPath, verifyFile } from './segment-file.ts'
import { imageFileBytes, newImage } from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import { type Holding, type ThreadQuery, ThreadSearch } from './thread-search.ts'

/**
 * Comparing vectors and building graphs hold up their thread, so they run in two kinds of worker: a builder, which makes
 * one segment and ends, and readers, which answer searches over memory that all of them share.
 */
export type WorkerStart =
  | { readonly role: 'build'; readonly request: BuildRequest }
  | { readonly role: 'read'; readonly dir: string; readonly dim: number; readonly thread: number }

export type ReaderCall =
  | { readonly op: 'load'; readonly meta: SegmentMeta }
  | { readonly op: 'attach'; readonly holding: Holding }
  | { readonly op: 'detach'; readonly kind: Holding['kind']; readonly id: number }
  | { readonly op: 'search'; readonly query: ThreadQuery }

export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  /** Of INDEX_DAMAGED: the id of the segment. */
  readonly segment?: number | undefined
}

export type Answer<T> =
  | { readonly id: number; readonly result: T }
  | { readonly id: number; readonly error: WireError }

const PATIENT_NICENESS = 10

const start = workerData as WorkerStart
if (start.role === 'build') build(start.request)
else serve(start)

function build(request: BuildRequest): void {
  // On Linux this is the thread's own; elsewhere it would be the whole process's.
  if (request.patient && process.platform === 'linux') setPriority(PATIENT_NICENESS)
  reply(0, () => buildSegment(request))
}

function serve({ dir, dim, thread }: WorkerStart & { role: 'read' }): void {
  const search = new ThreadSearch({ dir, dim, thread })
  parentPort!.on('message', (message: 'close' | { id: number; call: ReaderCall }) => {
    if (message === 'close') {
      search.close()
      return parentPort!.close()
    }
    reply(message.id, () => answer(message.call))
  })

  function answer(call: ReaderCall): unknown {
    switch (call.op) {
      case 'load':
        return loadImage(dir, call.meta)
      case 'attach':
        return search.attach(call.holding)
      case 'detach':
        return search.detach(call.kind, call.id)
      case 'search':
        return search.run(call.query)
    }
  }
}

/**
 * Reads a segment back. Both files are verified before anything is made of them.
 * @throws INDEX_DAMAGED
 */
function loadImage(dir: string, { id, shape, image, rows }: SegmentMeta): SharedMemory {
  if (image.bytes !== imageFileBytes(shape) || rows.bytes !== shape.count * 4 * shape.dim)
    throw fault('INDEX_DAMAGED', `segment ${id} does not have the size that its description gives`)
  const { memory } = newImage(shape)
  verifyFile(segmentPath(dir, id, 'image'), image, new Uint8Array(memory.buffer, 0, image.bytes))
  verifyFile(segmentPath(dir, id, 'rows'), rows)
  return memory
}

function reply(id: number, work: () => unknown): void {
  try {
    parentPort!.postMessage({ id, result: work() })
  } catch (error) {
    const known = isFault(error)
    const segment = known ? error.details.segment : undefined
    parentPort!.postMessage({
      id,
      error: {
        code: known ? error.code : 'INTERNAL',
        message: messageOf(error),
        ...(typeof segment === 'number' ? { segment } : {}),
      },
    })
  }
}
