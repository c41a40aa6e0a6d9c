import { messageOf } from '@sightline/core'
import { segmentPath, verifyFile } from '../index/segment-file.ts'
import { imageFileBytes, imageOver, newImage } from '../index/segment-image.ts'
import { readManifest, type SegmentMeta } from '../index/segment-manifest.ts'
import type { Faults } from './verify-store.ts'

export interface IndexReport {
  readonly segments: number
  /** Vectors in sealed segments. */
  readonly sealed: number
  /** Of those, frames that were deleted since: the hub takes them out when it starts. */
  readonly deleted: number
}

/** The sealed segments against their checksums and the store; what is not sealed lives in memory alone. */
export function checkIndex(
  dir: string,
  ordsOf: ReadonlyMap<string, readonly number[]>,
  faults: Faults,
): IndexReport {
  let manifest: ReturnType<typeof readManifest>
  try {
    manifest = readManifest(dir)
  } catch (error) {
    faults.add('index segment damaged', messageOf(error))
    return { segments: 0, sealed: 0, deleted: 0 }
  }
  const { segments = [], fingerprint = '', sealedUpTo = 0 } = manifest ?? {}
  const sealed = new Set<number>()
  let damaged = false
  for (const segment of segments) {
    try {
      for (const ord of ordsIn(dir, segment)) sealed.add(ord)
    } catch (error) {
      damaged = true
      faults.add('index segment damaged', messageOf(error))
    }
  }
  const stored = new Set(ordsOf.get(fingerprint))
  if (!damaged)
    for (const ord of stored)
      if (ord <= sealedUpTo && !sealed.has(ord)) faults.add('missing from the index', String(ord))
  const deleted = [...sealed].filter(ord => !stored.has(ord)).length
  return { segments: segments.length, sealed: sealed.size, deleted }
}

/** @throws INDEX_DAMAGED */
function ordsIn(dir: string, { id, shape, image, rows }: SegmentMeta): Float64Array {
  const { memory } = newImage(shape)
  const target = new Uint8Array(memory.buffer, 0, Math.min(image.bytes, imageFileBytes(shape)))
  verifyFile(segmentPath(dir, id, 'image'), image, target)
  verifyFile(segmentPath(dir, id, 'rows'), rows)
  return imageOver(memory, shape).ords
}
