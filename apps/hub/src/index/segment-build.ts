import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import { fault } from '@sightline/core/errors.js'
import hnswlib from 'hnswlib-node'
import { type Links, readLinks } from './hnswlib-file.ts'
import { floatStride, kernelOver, type SharedMemory, sharedMemory } from './kernel.ts'
import { makeReachable } from './reachability.ts'
import { hasBit } from './row-selection.ts'
import { chunksOf, segmentPath, syncDirectory, writeDurably } from './segment-file.ts'
import {
  imageFileBytes,
  imageOver,
  MAX_UPPER_LINKS,
  newImage,
  type SegmentImage,
  words,
  ZONE_ROWS,
} from './segment-image.ts'
import type { SegmentMeta } from './segment-manifest.ts'
import { blockOver, labelsOf, similarityOf, vectorOf } from './vector-rows.ts'

/** Links per node and candidates while building (Malkov and Yashunin 2018, 4.1). */
const M = MAX_UPPER_LINKS
const EF_CONSTRUCTION = 200
/** Fixed, so that the same rows give the same graph. */
const SEED = 20
const READ_ROWS = 512

/** Where rows come from: a run of rows that are not sealed yet, or a segment. */
export type BuildPart =
  | { readonly memory: SharedMemory; readonly block: number; readonly from: number; readonly to: number }
  | { readonly memory: SharedMemory; readonly segment: SegmentMeta }

export interface BuildRequest {
  readonly dir: string
  readonly id: number
  readonly dim: number
  /** Ascending by ords. */
  readonly parts: readonly BuildPart[]
  readonly after: number
  readonly upTo: number
  /** Shared memory; anything but 0 abandons the work before the next point. */
  readonly stop: Int32Array<SharedArrayBuffer>
  /** Leaves the cores to others: for work that nobody waits for. */
  readonly patient: boolean
}

export interface Built {
  readonly meta: SegmentMeta
  readonly memory: SharedMemory
}

/** One row on its way from a part into the new segment. Its vector is valid until the next row. */
interface Row {
  readonly ord: number
  readonly capturedAt: number
  readonly source: number
  readonly labels: readonly number[]
  readonly vector: Float32Array
}

interface Columns {
  readonly ords: number[]
  readonly times: number[]
  readonly sources: number[]
  readonly labels: (readonly number[])[]
}

/**
 * Builds one segment of the rows that were not removed and writes it durably; undefined when none is left.
 * @throws INDEX_DAMAGED when a part cannot be read, NOT_READY when it was abandoned
 */
export function buildSegment(request: BuildRequest): Built | undefined {
  const { dir, id, dim, after, upTo, stop } = request
  const columns: Columns = { ords: [], times: [], sources: [], labels: [] }
  const size = request.parts.reduce((sum, part) => sum + liveRows(part, dim), 0)
  if (size === 0) return undefined
  const graph = new hnswlib.HierarchicalNSW('ip', dim)
  graph.initIndex({ maxElements: size, m: M, efConstruction: EF_CONSTRUCTION, randomSeed: SEED })

  function* rowsTaken(): Generator<Uint8Array> {
    for (const { ord, capturedAt, source, labels, vector } of rowsOf(request)) {
      if (Atomics.load(stop, 0) !== 0) throw fault('NOT_READY', 'the segment was abandoned')
      // More may have been removed since they were counted, never fewer.
      graph.addPoint(Array.from(vector), columns.ords.length)
      columns.ords.push(ord)
      columns.times.push(capturedAt)
      columns.sources.push(source)
      columns.labels.push(labels)
      yield new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
    }
  }
  const rows = writeDurably(segmentPath(dir, id, 'rows'), rowsTaken())
  if (columns.ords.length === 0) return undefined
  const links = linksOf(graph, segmentPath(dir, id, 'hnsw'), columns.ords.length)
  const image = imageOf(columns, links, dim)
  encodeRows(image, segmentPath(dir, id, 'rows'))
  const content = new Uint8Array(image.memory.buffer, 0, imageFileBytes(image.shape))
  const meta: SegmentMeta = {
    id,
    after,
    upTo,
    capturedFrom: columns.times.reduce((a, b) => Math.min(a, b)),
    capturedTo: columns.times.reduce((a, b) => Math.max(a, b)),
    entry: links.entry,
    maxLevel: links.maxLevel,
    shape: image.shape,
    image: writeDurably(segmentPath(dir, id, 'image'), chunksOf(content)),
    rows,
  }
  syncDirectory(dir)
  return { meta, memory: image.memory }
}

function liveRows(part: BuildPart, dim: number): number {
  if ('segment' in part) {
    const { dead, shape } = imageOver(part.memory, part.segment.shape)
    let live = 0
    for (let row = 0; row < shape.count; row++) if (!hasBit(dead, row)) live++
    return live
  }
  return blockOver(part.memory, part.block, dim)
    .dead.subarray(part.from, part.to)
    .filter(dead => dead === 0).length
}

function* rowsOf({ dir, dim, parts }: BuildRequest): Generator<Row> {
  for (const part of parts) {
    if ('segment' in part) yield* segmentRows(dir, part.segment, imageOver(part.memory, part.segment.shape))
    else {
      const block = blockOver(part.memory, part.block, dim)
      for (let row = part.from; row < part.to; row++) {
        if (block.dead[row] === 1) continue
        yield {
          ord: block.ords[row]!,
          capturedAt: block.capturedAt[row]!,
          source: block.sources[row]!,
          labels: [...labelsOf(block, row)],
          vector: vectorOf(block, row),
        }
      }
    }
  }
}

function* segmentRows(dir: string, { id }: SegmentMeta, image: SegmentImage): Generator<Row> {
  const { labelIds, labelBits, shape } = image
  const perLabel = words(shape.count)
  for (const [row, vector] of vectorsIn(segmentPath(dir, id, 'rows'), shape)) {
    if (hasBit(image.dead, row)) continue
    if (!(Math.abs(similarityOf(vector, vector) - 1) <= 4e-3))
      throw fault('INDEX_DAMAGED', `segment ${id}: row ${row} is not of unit length`, {
        details: { segment: id },
      })
    const labels = [...labelIds].filter((_, i) =>
      hasBit(labelBits.subarray(i * perLabel, (i + 1) * perLabel), row),
    )
    yield {
      ord: image.ords[row]!,
      capturedAt: image.capturedAt[row]!,
      source: image.sourceOf[row]!,
      labels,
      vector,
    }
  }
}

function* vectorsIn(path: string, { dim, count }: { dim: number; count: number }) {
  const chunk = new Float32Array(READ_ROWS * dim)
  const fd = openSync(path, 'r')
  try {
    for (let from = 0; from < count; from += READ_ROWS) {
      const rows = Math.min(READ_ROWS, count - from)
      const bytes = new Uint8Array(chunk.buffer, 0, rows * 4 * dim)
      if (readSync(fd, bytes, 0, bytes.length, from * 4 * dim) !== bytes.length)
        throw fault('INDEX_DAMAGED', `${path} ended early`)
      for (let i = 0; i < rows; i++) yield [from + i, chunk.subarray(i * dim, (i + 1) * dim)] as const
    }
  } finally {
    closeSync(fd)
  }
}

function linksOf(graph: hnswlib.HierarchicalNSW, path: string, count: number): Links {
  try {
    graph.writeIndexSync(path)
    const links = readLinks(path, count)
    makeReachable(links)
    return links
  } finally {
    rmSync(path, { force: true })
  }
}

function imageOf({ ords, times, sources, labels }: Columns, links: Links, dim: number): SegmentImage {
  const count = ords.length
  const bySource = rowsBySource(sources)
  const labelIds = [...new Set(labels.flat())].sort((a, b) => a - b)
  const image = newImage({
    dim,
    count,
    sources: bySource.length,
    labels: labelIds.length,
    upperNodes: links.upperNodes.length,
    upperWords: links.upper.length,
  })
  image.ords.set(ords)
  image.capturedAt.set(times)
  image.sourceOf.set(sources)
  image.rowsBySource.set(bySource.flatMap(([, rows]) => rows))
  image.sourceIds.set(bySource.map(([source]) => source))
  let end = 0
  image.sourceEnds.set(bySource.map(([, rows]) => (end += rows.length)))
  image.labelIds.set(labelIds)
  const placeOf = new Map(labelIds.map((label, i) => [label, i * words(count)]))
  for (const [row, marks] of labels.entries())
    for (const label of marks) image.labelBits[placeOf.get(label)! + (row >>> 5)]! |= 1 << (row & 31)
  for (let zone = 0; zone * ZONE_ROWS < count; zone++) {
    const within = times.slice(zone * ZONE_ROWS, (zone + 1) * ZONE_ROWS)
    image.zones[2 * zone] = Math.min(...within)
    image.zones[2 * zone + 1] = Math.max(...within)
  }
  image.links.set(links.links)
  image.upperNodes.set(links.upperNodes)
  image.upperStarts.set(links.upperStarts)
  image.upper.set(links.upper)
  return image
}

function rowsBySource(sources: readonly number[]): [source: number, rows: number[]][] {
  const found = new Map<number, number[]>()
  for (const [row, source] of sources.entries()) {
    const rows = found.get(source)
    if (rows === undefined) found.set(source, [row])
    else rows.push(row)
  }
  return [...found].sort(([a], [b]) => a - b)
}

function encodeRows({ codes, scales, stride, shape }: SegmentImage, path: string): void {
  const length = floatStride(shape.dim)
  const memory = sharedMemory(4 * length + stride + 4)
  const { encode } = kernelOver(memory)
  const floats = new Float32Array(memory.buffer, 0, length)
  const code = new Int8Array(memory.buffer, 4 * length, stride)
  const scale = new Float32Array(memory.buffer, 4 * length + stride, 1)
  for (const [row, vector] of vectorsIn(path, shape)) {
    floats.set(vector)
    encode(0, code.byteOffset, length, scale.byteOffset)
    codes.set(code, row * stride)
    scales[row] = scale[0]!
  }
}
