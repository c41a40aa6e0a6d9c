import { fault } from '@sightline/core/errors.js'
import hnswlib from 'hnswlib-node'
import {
  commitWritten,
  readRows,
  readVerified,
  readWhole,
  segmentPath,
  sha256,
  syncDirectory,
  writeDurably,
  writeHeader,
} from './segment-file.ts'
import type { FileSum, SegmentHeader } from './segment-header.ts'
import type { TopK } from './top-k.ts'
import type { IndexFilter } from './vector-index.ts'
import {
  BYTES_PER_ROW,
  blockOver,
  type RowBlock,
  type RowSlice,
  rowSimilarity,
  rowTest,
  scanSlice,
} from './vector-rows.ts'

/** Links per node and candidates while building (Malkov and Yashunin 2018, 4.1). */
const M = 16
const EF_CONSTRUCTION = 100
/** Fixed, so that the same rows give the same graph. */
const SEED = 20
/** Below so many rows an exact scan is as fast as the walk through a graph. */
const EXACT_ROWS = 1024
const MIN_EF = 128

/** One sealed segment, ready to be searched. Labels in the graph are row numbers: hnswlib keeps labels modulo 2^32. */
export class SegmentGraph {
  readonly #rows: RowBlock
  readonly #count: number
  readonly #graph: hnswlib.HierarchicalNSW

  constructor(rows: RowBlock, count: number, graph: hnswlib.HierarchicalNSW) {
    this.#rows = rows
    this.#count = count
    this.#graph = graph
  }

  /**
   * Offers the nearest matching rows to `best`. The graph proposes by approximate order, the exact inner product with the
   * stored row decides. Where few rows match, those alone are scanned; else the graph is asked for ever more
   * candidates until `k` of them match. A filter inside the graph would save candidates, but costs a call into
   * JavaScript for every node visited, and an exception there ends the process.
   */
  search(query: Float32Array, k: number, filter: IndexFilter | undefined, best: TopK): void {
    const passes = rowTest(filter)
    const matching = passes === undefined ? this.#count : this.#countMatching(passes)
    if (matching === 0) return
    if (matching > EXACT_ROWS) {
      const wanted = Math.min(k, matching)
      const point = Array.from(query)
      for (
        let ef = Math.max(MIN_EF, Math.ceil((2 * k * this.#count) / matching));
        ef <= matching / 4;
        ef *= 4
      ) {
        const rows = this.#nearest(point, ef)
        const hits = passes === undefined ? rows : rows.filter(row => passes(this.#rows, row))
        if (hits.length < wanted) continue
        for (const row of hits) best.offer(this.#rows.ords[row]!, rowSimilarity(this.#rows, row, query))
        return
      }
    }
    scanSlice({ block: this.#rows, from: 0, to: this.#count }, query, passes, best)
  }

  #nearest(point: number[], ef: number): number[] {
    this.#graph.setEf(ef)
    return this.#graph.searchKnn(point, ef).neighbors
  }

  #countMatching(passes: (block: RowBlock, row: number) => boolean): number {
    let matching = 0
    for (let row = 0; row < this.#count; row++) if (passes(this.#rows, row)) matching++
    return matching
  }
}

/**
 * Reads a segment back. Both checksums are verified before hnswlib sees the file: it believes what it reads, and a
 * damaged page ends the process.
 * @throws INDEX_DAMAGED
 */
export function loadSegment(dir: string, header: SegmentHeader): SegmentGraph {
  const { after, count, dim } = header
  const rows = readRows(dir, header)
  const path = segmentPath(dir, after, 'graph')
  checkGraphFile(readVerified(path, header.graph), count, dim)
  const graph = new hnswlib.HierarchicalNSW('ip', dim)
  graph.readIndexSync(path)
  return new SegmentGraph(rows, count, graph)
}

export interface SealRequest {
  readonly dir: string
  readonly slices: readonly RowSlice[]
  readonly base: Pick<SegmentHeader, 'fingerprint' | 'generation' | 'dim' | 'after'>
  /** Shared memory; anything but 0 abandons the seal before the next point. */
  readonly stop: Int32Array<SharedArrayBuffer>
}

/**
 * Builds the graph of the rows and writes the segment durably.
 * @throws INDEX_DAMAGED when it did not reach the disk whole, NOT_READY when it was abandoned
 */
export function sealSegment({ dir, slices, base, stop }: SealRequest): SegmentHeader {
  const { dim, after } = base
  const count = slices.reduce((sum, { from, to }) => sum + to - from, 0)
  const buffer = new ArrayBuffer(count * BYTES_PER_ROW(dim))
  const rows = gather(slices, blockOver(buffer, count, dim))
  const header = {
    ...base,
    v: 1 as const,
    count,
    lastOrd: rows.ords[count - 1]!,
    capturedFrom: rows.capturedAt.reduce((a, b) => Math.min(a, b)),
    capturedTo: rows.capturedAt.reduce((a, b) => Math.max(a, b)),
    rows: writeDurably(segmentPath(dir, after, 'rows'), [new Uint8Array(buffer)]),
    graph: writeGraph(segmentPath(dir, after, 'graph'), buildGraph(rows, count, stop), count, dim),
  }
  syncDirectory(dir)
  writeHeader(dir, header)
  return header
}

function gather(slices: readonly RowSlice[], rows: RowBlock): RowBlock {
  let at = 0
  for (const { block, from, to } of slices) {
    rows.ords.set(block.ords.subarray(from, to), at)
    rows.capturedAt.set(block.capturedAt.subarray(from, to), at)
    rows.sources.set(block.sources.subarray(from, to), at)
    rows.vectors.set(block.vectors.subarray(from * rows.dim, to * rows.dim), at * rows.dim)
    at += to - from
  }
  return rows
}

function buildGraph(rows: RowBlock, count: number, stop: SealRequest['stop']): hnswlib.HierarchicalNSW {
  const graph = new hnswlib.HierarchicalNSW('ip', rows.dim)
  graph.initIndex({ maxElements: count, m: M, efConstruction: EF_CONSTRUCTION, randomSeed: SEED })
  for (let row = 0; row < count; row++) {
    if (Atomics.load(stop, 0) !== 0) throw fault('NOT_READY', 'the seal was abandoned')
    graph.addPoint(Array.from(rows.vectors.subarray(row * rows.dim, (row + 1) * rows.dim)), row)
  }
  return graph
}

/** hnswlib reports no failed write (a full disk leaves a short file), so what it wrote is read back and walked through. */
function writeGraph(path: string, graph: hnswlib.HierarchicalNSW, count: number, dim: number): FileSum {
  graph.writeIndexSync(`${path}.tmp`)
  commitWritten(path)
  const content = readWhole(path)
  checkGraphFile(content, count, dim)
  return { bytes: content.byteLength, sha256: sha256(content) }
}

/** Bytes of hnswlib's file header: offset, capacity, count, row size, label and data offset; level, entry; five more. */
const GRAPH_HEADER_BYTES = 96

/** Whether the file is exactly as long as its own counts say. @throws INDEX_DAMAGED */
function checkGraphFile(content: Uint8Array, count: number, dim: number): void {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const size = (at: number) => Number(view.getBigUint64(at, true))
  let end = Number.NaN
  if (content.byteLength >= GRAPH_HEADER_BYTES && size(16) === count && size(24) > 4 * dim) {
    end = GRAPH_HEADER_BYTES + count * size(24)
    for (let row = 0; row < count && end + 4 <= content.byteLength; row++)
      end += 4 + view.getUint32(end, true)
  }
  if (end !== content.byteLength)
    throw fault('INDEX_DAMAGED', `a graph file of ${content.byteLength} bytes does not hold ${count} nodes`)
}
