import { CODE_STEP, type SharedMemory, sharedMemory } from './kernel.ts'

/** Links that a node of the lowest layer may have, and of a higher one; 2M and M of the paper. */
export const MAX_LINKS = 32
export const MAX_UPPER_LINKS = 16
/** Rows whose oldest and newest time are kept together. */
export const ZONE_ROWS = 1024
/** Threads that may compute over one image; each has a scratch area of its own. */
export const MAX_THREADS = 16
/** Rows that one call of the kernel takes. */
export const BATCH = 128

/** What decides the size of an image. */
export interface SegmentShape {
  readonly dim: number
  readonly count: number
  /** Distinct sources and labels. */
  readonly sources: number
  readonly labels: number
  /** Nodes above the lowest layer, and the words of their link lists. */
  readonly upperNodes: number
  readonly upperWords: number
}

/**
 * A sealed segment as it is searched: int8 codes, columns and graph, but not the vectors themselves, which stay in a
 * file. One block of shared memory, laid out as the file is, so that loading is reading.
 */
export interface SegmentImage {
  readonly memory: SharedMemory
  readonly shape: SegmentShape
  /** Bytes of a row of codes: `dim` rounded up, the rest zeros. The codes begin at address 0. */
  readonly stride: number
  readonly codes: Int8Array
  /** Ascending. */
  readonly ords: Float64Array
  readonly capturedAt: Float64Array
  /** Oldest and newest time of every `ZONE_ROWS` rows. */
  readonly zones: Float64Array
  /** A code times this is the element of the vector. */
  readonly scales: Float32Array
  readonly sourceOf: Uint32Array
  /** Rows by source: those of `sourceIds[i]` end before `sourceEnds[i]`. */
  readonly rowsBySource: Uint32Array
  readonly sourceIds: Uint32Array
  readonly sourceEnds: Uint32Array
  readonly labelIds: Uint32Array
  /** One bit a row for each of `labelIds`. */
  readonly labelBits: Uint32Array
  /** Of each row: the number of links, then `MAX_LINKS` places. */
  readonly links: Uint32Array
  /** Rows above the lowest layer, ascending; their lists from layer 1 up begin at `upperStarts`. */
  readonly upperNodes: Uint32Array
  readonly upperStarts: Uint32Array
  readonly upper: Uint32Array
  /** Not in the file: one bit for each removed row. */
  readonly dead: Uint32Array
  /** Not in the file: where the scratch area of thread 0 begins. */
  readonly scratchAt: number
}

export const words = (rows: number) => Math.ceil(rows / 32)

export function codeStride(dim: number): number {
  return Math.ceil(dim / CODE_STEP) * CODE_STEP
}

/** Query of int16, then the ids and the sums of one call. */
export function scratchBytes(dim: number): number {
  return 2 * codeStride(dim) + 8 * BATCH
}

interface Layout {
  readonly at: Readonly<Record<Column, number>>
  readonly fileBytes: number
  readonly scratchAt: number
  readonly bytes: number
}

const COLUMNS = [
  'codes',
  'ords',
  'capturedAt',
  'zones',
  'scales',
  'sourceOf',
  'rowsBySource',
  'sourceIds',
  'sourceEnds',
  'labelIds',
  'labelBits',
  'links',
  'upperNodes',
  'upperStarts',
  'upper',
] as const
type Column = (typeof COLUMNS)[number]

function lengths({ dim, count, sources, labels, upperNodes, upperWords }: SegmentShape) {
  return {
    codes: codeStride(dim) * count,
    ords: count,
    capturedAt: count,
    zones: 2 * Math.ceil(count / ZONE_ROWS),
    scales: count,
    sourceOf: count,
    rowsBySource: count,
    sourceIds: sources,
    sourceEnds: sources,
    labelIds: labels,
    labelBits: labels * words(count),
    links: count * (1 + MAX_LINKS),
    upperNodes,
    upperStarts: upperNodes,
    upper: upperWords,
  }
}

function layout(shape: SegmentShape): Layout {
  const length = lengths(shape)
  const wide = new Set<Column>(['ords', 'capturedAt', 'zones'])
  const at = {} as Record<Column, number>
  let end = 0
  for (const column of COLUMNS) {
    at[column] = end
    end += length[column] * (column === 'codes' ? 1 : wide.has(column) ? 8 : 4)
  }
  const scratchAt = Math.ceil((end + 4 * words(shape.count)) / 16) * 16
  return { at, fileBytes: end, scratchAt, bytes: scratchAt + MAX_THREADS * scratchBytes(shape.dim) }
}

/** Bytes of the file, which are the first bytes of the memory. */
export function imageFileBytes(shape: SegmentShape): number {
  return layout(shape).fileBytes
}

export function imageBytes(shape: SegmentShape): number {
  return layout(shape).bytes
}

export function newImage(shape: SegmentShape): SegmentImage {
  return imageOver(sharedMemory(imageBytes(shape)), shape)
}

export function imageOver(memory: SharedMemory, shape: SegmentShape): SegmentImage {
  const { at, fileBytes, scratchAt } = layout(shape)
  const length = lengths(shape)
  const { buffer } = memory
  const wide = (column: Column) => new Float64Array(buffer, at[column], length[column])
  const word = (column: Column) => new Uint32Array(buffer, at[column], length[column])
  return {
    memory,
    shape,
    stride: codeStride(shape.dim),
    codes: new Int8Array(buffer, 0, length.codes),
    ords: wide('ords'),
    capturedAt: wide('capturedAt'),
    zones: wide('zones'),
    scales: new Float32Array(buffer, at.scales, length.scales),
    sourceOf: word('sourceOf'),
    rowsBySource: word('rowsBySource'),
    sourceIds: word('sourceIds'),
    sourceEnds: word('sourceEnds'),
    labelIds: word('labelIds'),
    labelBits: word('labelBits'),
    links: word('links'),
    upperNodes: word('upperNodes'),
    upperStarts: word('upperStarts'),
    upper: word('upper'),
    dead: new Uint32Array(buffer, fileBytes, words(shape.count)),
    scratchAt,
  }
}

/** Row of the ord, or -1. */
export function rowOf({ ords }: Pick<SegmentImage, 'ords'>, ord: number): number {
  const row = lowerBound(ords, ord)
  return ords[row] === ord ? row : -1
}

/** First place in the ascending `values` that is not below `value`. */
export function lowerBound(values: ArrayLike<number>, value: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
