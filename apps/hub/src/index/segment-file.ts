import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
// Workers load this: the few modules of core that are needed, not the package with its native libraries.
import { fault, messageOf } from '@sightline/core/errors.js'
import type { FileSum, SegmentHeader } from './segment-header.ts'
import { BYTES_PER_ROW, blockOver, type RowBlock } from './vector-rows.ts'

export type SegmentPart = 'json' | 'graph' | 'rows'

/** `segment-0000000000004096.graph`: named by the ord that it follows. */
export function segmentPath(dir: string, after: number, part: SegmentPart): string {
  return join(dir, `segment-${String(after).padStart(16, '0')}.${part}`)
}

export function writeHeader(dir: string, header: SegmentHeader): void {
  const text = JSON.stringify({ header, sha256: sha256(Buffer.from(JSON.stringify(header))) })
  const path = segmentPath(dir, header.after, 'json')
  writeDurably(path, [Buffer.from(text)])
  syncDirectory(dir)
}

/** Removes what is left of the segment, header first, so that half a segment is never taken for one. */
export function removeSegment(dir: string, after: number): void {
  for (const part of ['json', 'graph', 'rows'] as const)
    rmSync(segmentPath(dir, after, part), { force: true })
}

/** Removes everything of `dir` that does not belong to `chain`: damaged segments and unfinished files. */
export function removeAllBut(dir: string, chain: readonly SegmentHeader[]): void {
  const kept = new Set(
    chain.flatMap(({ after }) =>
      (['json', 'graph', 'rows'] as const).map(part => segmentPath(dir, after, part)),
    ),
  )
  const names = readdirSync(dir).filter(name => name.startsWith('segment-'))
  for (const name of names.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json'))))
    if (!kept.has(join(dir, name))) rmSync(join(dir, name), { force: true })
}

/** tmp -> fsync -> rename: after a power cut the file is whole or absent. */
export function writeDurably(path: string, chunks: readonly Uint8Array[]): FileSum {
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

/** Makes a file durable that other code has written under `${path}.tmp`. */
export function commitWritten(path: string): void {
  const fd = openSync(`${path}.tmp`, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.tmp`, path)
}

export function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The whole file in a buffer of its own. @throws INDEX_DAMAGED when it is missing or not what `sum` says. */
export function readVerified(path: string, sum: FileSum): Uint8Array<ArrayBuffer> {
  let content: Uint8Array<ArrayBuffer>
  try {
    content = readWhole(path)
  } catch (cause) {
    throw fault('INDEX_DAMAGED', `${path}: ${messageOf(cause)}`, { cause })
  }
  if (content.byteLength !== sum.bytes || sha256(content) !== sum.sha256)
    throw fault('INDEX_DAMAGED', `${path} does not have the checksum that was recorded for it`)
  return content
}

export function readWhole(path: string): Uint8Array<ArrayBuffer> {
  const fd = openSync(path, 'r')
  try {
    const content = new Uint8Array(fstatSync(fd).size)
    for (let at = 0; at < content.byteLength; ) {
      const read = readSync(fd, content, at, content.byteLength - at, at)
      if (read === 0) throw fault('INDEX_DAMAGED', `${path} ended early`)
      at += read
    }
    return content
  } finally {
    closeSync(fd)
  }
}

export function readRows(dir: string, { after, rows, count, dim }: SegmentHeader): RowBlock {
  const content = readVerified(segmentPath(dir, after, 'rows'), rows)
  if (content.byteLength !== count * BYTES_PER_ROW(dim))
    throw fault('INDEX_DAMAGED', `segment after ${after} does not have ${count} rows of ${dim}`)
  return blockOver(content.buffer, count, dim)
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
