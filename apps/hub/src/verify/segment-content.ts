import { messageOf } from '@sightline/core'
import { segmentPath, verifyFile } from '../index/segment-file.ts'
import { imageFileBytes, imageOver, newImage } from '../index/segment-image.ts'
import { type Manifest, readManifest, type SegmentMeta } from '../index/segment-manifest.ts'
import { type IndexContent, type IndexReader, NOTHING_INDEXED } from './index-content.ts'

/** A hub that merges meanwhile removes files that the list had named: it is then read again. */
const MAX_ATTEMPTS = 3

/** The sealed segments, against their checksums; what is not sealed lives in memory alone. */
export function segmentReader(dir: string): IndexReader {
  return { kind: 'segments', read: async () => readSegments(dir) }
}

function readSegments(dir: string, attempt = 1): IndexContent {
  let manifest: Manifest | undefined
  try {
    manifest = readManifest(dir)
  } catch (error) {
    return { ...NOTHING_INDEXED, damage: [messageOf(error)] }
  }
  if (manifest === undefined) return NOTHING_INDEXED
  const { segments, fingerprint, sealedUpTo } = manifest
  const ords = new Set<number>()
  const damage: string[] = []
  for (const segment of segments) {
    try {
      for (const ord of ordsIn(dir, segment)) ords.add(ord)
    } catch (error) {
      damage.push(messageOf(error))
    }
  }
  if (damage.length > 0 && attempt < MAX_ATTEMPTS && readManifest(dir)?.nextId !== manifest.nextId)
    return readSegments(dir, attempt + 1)
  return { segments: segments.length, fingerprint, upTo: sealedUpTo, ords, damage }
}

/** @throws INDEX_DAMAGED */
function ordsIn(dir: string, { id, shape, image, rows }: SegmentMeta): Float64Array {
  const { memory } = newImage(shape)
  const target = new Uint8Array(memory.buffer, 0, Math.min(image.bytes, imageFileBytes(shape)))
  verifyFile(segmentPath(dir, id, 'image'), image, target)
  verifyFile(segmentPath(dir, id, 'rows'), rows)
  return imageOver(memory, shape).ords
}
