import { fault } from '@sightline/core/errors.js'
import { type FrameRow, openFrameTables } from './lmdb-tables.ts'
import type { FrameSource } from './record-store.ts'

/** Reads frames on the thread that opened it, without the event loop that writes them. */
export interface FrameReader {
  /**
   * Shows every frame with `after` < ord <= `upTo`, in that order. `vector` reads its little-endian float32 into memory
   * that the next call overwrites.
   */
  visit(
    after: number,
    upTo: number,
    visit: (ord: number, frame: FrameRow, vector: () => Uint8Array) => void,
  ): void
  close(): Promise<void>
}

export function openFrameReader({ dir }: FrameSource): FrameReader {
  const { root, frames, vectors } = openFrameTables(dir)
  return {
    visit(after, upTo, visit) {
      let at = after
      // Not copied: a scan reads millions of them.
      const vector = () => {
        const bytes = vectors.getBinaryFast(at)
        if (bytes === undefined) throw fault('STORE_FAILED', `frame ${at} has no vector`)
        return bytes
      }
      for (const { key, value } of frames.getRange({ start: after + 1, end: upTo + 1 })) {
        at = key
        visit(key, value, vector)
      }
    },
    close: () => root.close(),
  }
}
