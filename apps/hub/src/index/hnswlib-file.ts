import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { fault } from '@sightline/core/errors.js'
import { MAX_LINKS, MAX_UPPER_LINKS } from './segment-image.ts'

/** The graph alone: what hnswlib wrote, without the vectors in it. */
export interface Links {
  readonly entry: number
  readonly maxLevel: number
  /** Of each row: the number of links, then `MAX_LINKS` places. */
  readonly links: Uint32Array
  /** Rows above the lowest layer, ascending, and where their lists begin in `upper`. */
  readonly upperNodes: readonly number[]
  readonly upperStarts: readonly number[]
  /** From layer 1 up: the number of links, then `MAX_UPPER_LINKS` places. */
  readonly upper: readonly number[]
}

/** Offset, capacity, count, row size, label and data offset (8 bytes each); level, entry (4 each); five more. */
const HEADER_BYTES = 96
const CHUNK_BYTES = 4 * 2 ** 20

/**
 * The links in a file of hnswlib (`HierarchicalNSW::saveIndex`). Everything is checked against the number of rows, since
 * hnswlib reports no failed write: a full disk leaves a short file. Labels must be the row numbers in order.
 * @throws INDEX_DAMAGED
 */
export function readLinks(path: string, count: number): Links {
  const fd = openSync(path, 'r')
  try {
    return parse(fd, count)
  } finally {
    closeSync(fd)
  }
}

function parse(fd: number, count: number): Links {
  const size = fstatSync(fd).size
  let at = 0
  const read = (bytes: number) => {
    const chunk = Buffer.allocUnsafe(bytes)
    if (at + bytes > size || readSync(fd, chunk, 0, bytes, at) !== bytes) damaged(count)
    at += bytes
    return chunk
  }
  const header = read(HEADER_BYTES)
  const wide = (offset: number) => Number(header.readBigUInt64LE(offset))
  const [rowBytes, labelAt] = [wide(24), wide(32)]
  const [maxLevel, entry] = [header.readInt32LE(48), header.readUInt32LE(52)]
  if (wide(16) !== count || wide(64) !== MAX_LINKS || wide(56) !== MAX_UPPER_LINKS || entry >= count)
    damaged(count)

  const links = new Uint32Array(count * (1 + MAX_LINKS))
  const rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes))
  for (let from = 0; from < count; from += rowsPerChunk) {
    const rows = Math.min(rowsPerChunk, count - from)
    const chunk = read(rows * rowBytes)
    for (let i = 0; i < rows; i++) {
      if (Number(chunk.readBigUInt64LE(i * rowBytes + labelAt)) !== from + i) damaged(count)
      takeList({ chunk, at: i * rowBytes, max: MAX_LINKS, count }, links, (from + i) * (1 + MAX_LINKS))
    }
  }

  const upperNodes: number[] = []
  const upperStarts: number[] = []
  const upper: number[] = []
  const list = new Uint32Array(1 + MAX_UPPER_LINKS)
  for (let row = 0; row < count; row++) {
    const bytes = read(4).readUInt32LE(0)
    if (bytes === 0) continue
    if (bytes % (4 * list.length) !== 0) damaged(count)
    upperNodes.push(row)
    upperStarts.push(upper.length)
    const chunk = read(bytes)
    for (let from = 0; from < bytes; from += 4 * list.length) {
      list.fill(0)
      takeList({ chunk, at: from, max: MAX_UPPER_LINKS, count }, list, 0)
      upper.push(...list)
    }
  }
  if (at !== size) damaged(count)
  return { entry, maxLevel, links, upperNodes, upperStarts, upper }
}

interface List {
  readonly chunk: Buffer
  readonly at: number
  readonly max: number
  readonly count: number
}

/** The low half of the first word is the number of links; the high half holds flags. */
function takeList({ chunk, at, max, count }: List, into: Uint32Array, offset: number): void {
  const length = chunk.readUInt16LE(at)
  if (length > max) damaged(count)
  into[offset] = length
  for (let i = 1; i <= length; i++) {
    const neighbour = chunk.readUInt32LE(at + 4 * i)
    if (neighbour >= count) damaged(count)
    into[offset + i] = neighbour
  }
}

function damaged(count: number): never {
  throw fault('INDEX_DAMAGED', `hnswlib has not written a whole graph of ${count} nodes`)
}
