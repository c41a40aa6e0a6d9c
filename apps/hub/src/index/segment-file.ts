import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readdirSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
// Workers load this: the few modules of core that are needed, not the package with its native libraries.
import { fault, messageOf } from '@sightline/core/errors.js'
import type { FileSum } from './segment-manifest.ts'

/** `image` is what is held in memory, `rows` are the vectors, `hnsw` is what hnswlib wrote, for a moment. */
export type SegmentPart = 'image' | 'rows' | 'hnsw'

const CHUNK_BYTES = 8 * 2 ** 20

/** `segment-00000007.image` */
export function segmentPath(dir: string, id: number, part: SegmentPart): string {
  return join(dir, `segment-${String(id).padStart(8, '0')}.${part}`)
}

/** Whatever is there of these segments. */
export async function removeSegments(dir: string, ids: readonly number[]): Promise<void> {
  const paths = ids.flatMap(id =>
    (['image', 'rows', 'hnsw'] as const).map(part => segmentPath(dir, id, part)),
  )
  await Promise.all(paths.flatMap(path => [rm(path, { force: true }), rm(`${path}.tmp`, { force: true })]))
}

/** Removes every segment file that does not belong to one of `kept`: damaged, replaced and unfinished ones. */
export function removeAllBut(dir: string, kept: readonly number[]): void {
  const paths = new Set(kept.flatMap(id => [segmentPath(dir, id, 'image'), segmentPath(dir, id, 'rows')]))
  for (const name of readdirSync(dir))
    if (name.startsWith('segment-') && !paths.has(join(dir, name))) rmSync(join(dir, name), { force: true })
}

/** tmp -> fsync -> rename: after a power cut the file is whole or absent. */
export function writeDurably(path: string, chunks: Iterable<Uint8Array>): FileSum {
  const hash = createHash('sha256')
  let bytes = 0
  const fd = openSync(`${path}.tmp`, 'w')
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength; ) at += writeSync(fd, chunk, at)
      hash.update(chunk)
      bytes += chunk.byteLength
    }
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.tmp`, path)
  return { bytes, sha256: hash.digest('hex') }
}

/** The same without holding up the event loop. */
export async function writeDurablyAsync(path: string, content: Uint8Array): Promise<void> {
  const file = await open(`${path}.tmp`, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
  const dir = await open(dirname(path), 'r')
  try {
    await dir.sync()
  } finally {
    await dir.close()
  }
}

export function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Reads the file and compares it with `sum`; into `target` when there is one. @throws INDEX_DAMAGED */
export function verifyFile(path: string, sum: FileSum, target?: Uint8Array<SharedArrayBuffer>): void {
  const hash = createHash('sha256')
  const buffer = target ?? new Uint8Array(Math.min(CHUNK_BYTES, sum.bytes + 1))
  let bytes = 0
  try {
    const fd = openSync(path, 'r')
    try {
      for (;;) {
        const at = target === undefined ? 0 : bytes
        const wanted = Math.min(CHUNK_BYTES, buffer.length - at)
        const read = wanted === 0 ? 0 : readSync(fd, buffer, at, wanted, bytes)
        if (read === 0) break
        hash.update(buffer.subarray(at, at + read))
        bytes += read
      }
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    throw fault('INDEX_DAMAGED', `${path}: ${messageOf(cause)}`, { cause })
  }
  if (bytes !== sum.bytes || hash.digest('hex') !== sum.sha256)
    throw fault('INDEX_DAMAGED', `${path} does not have the checksum that was recorded for it`)
}

/** Portions for writing. */
export function* chunksOf(content: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES)
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
