import { lowerBound, rowOf, type SegmentImage, words, ZONE_ROWS } from './segment-image.ts'
import type { IndexFilter } from './vector-index.ts'

/** The rows of one segment that a filter lets through, as far as its statistics tell without looking at every row. */
export interface Selection {
  /** Rows that pass, estimated as if the parts of the filter were independent. */
  readonly matching: number
  /** Undefined: every row passes. */
  readonly passes: ((row: number) => boolean) | undefined
  /** Rows that `candidates` shows at most. */
  readonly listed: number
  /** Shows the fewest rows that are known to hold all that pass, each once; `passes` decides. */
  candidates(visit: (row: number) => void): void
}

interface Part {
  readonly rows: number
  each(visit: (row: number) => void): void
}

/** @param dead whether rows were removed */
export function selectRows(image: SegmentImage, filter: IndexFilter, dead: boolean): Selection {
  const { count } = image.shape
  const sources = filter.sources && sourcePart(image, filter.sources)
  const time = timePart(image, filter)
  const labels = filter.labels && labelPart(image, filter.labels)
  const ords = filter.ords && ordPart(image, filter.ords)
  const parts = [sources, time, labels, ords].filter(part => part !== undefined)
  const fewest = parts.reduce<Part>((a, b) => (b.rows < a.rows ? b : a), allRows(count))
  return {
    matching: parts.reduce((rows, part) => (rows * part.rows) / count, count),
    passes: test(image, filter, { sources: sources?.flags, bits: labels?.bits, ords: ords?.rowSet, dead }),
    listed: fewest.rows,
    candidates: visit => fewest.each(visit),
  }
}

function allRows(count: number): Part {
  return {
    rows: count,
    each: visit => {
      for (let row = 0; row < count; row++) visit(row)
    },
  }
}

function sourcePart(
  { sourceIds, sourceEnds, rowsBySource }: SegmentImage,
  wanted: readonly number[],
): Part & { flags: Uint8Array } {
  const flags = new Uint8Array((sourceIds.at(-1) ?? 0) + 1)
  const runs: [number, number][] = []
  let rows = 0
  for (const source of new Set(wanted)) {
    const at = lowerBound(sourceIds, source)
    if (sourceIds[at] !== source) continue
    flags[source] = 1
    const from = at === 0 ? 0 : sourceEnds[at - 1]!
    runs.push([from, sourceEnds[at]!])
    rows += sourceEnds[at]! - from
  }
  const each = (visit: (row: number) => void) => {
    for (const [from, to] of runs) for (let at = from; at < to; at++) visit(rowsBySource[at]!)
  }
  return { rows, flags, each }
}

/** Zone by zone; of a zone that lies partly within, the share of its span. */
function timePart({ zones, shape: { count } }: SegmentImage, filter: IndexFilter): Part | undefined {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter
  if (from === Number.NEGATIVE_INFINITY && to === Number.POSITIVE_INFINITY) return undefined
  const touched: number[] = []
  let rows = 0
  for (let zone = 0; 2 * zone < zones.length; zone++) {
    const oldest = zones[2 * zone]!
    const newest = zones[2 * zone + 1]!
    if (newest < from || oldest >= to) continue
    touched.push(zone)
    const span = newest - oldest + 1
    const share = (Math.min(to, newest + 1) - Math.max(from, oldest)) / span
    rows += Math.min(ZONE_ROWS, count - zone * ZONE_ROWS) * share
  }
  const each = (visit: (row: number) => void) => {
    for (const zone of touched) {
      const end = Math.min(count, (zone + 1) * ZONE_ROWS)
      for (let row = zone * ZONE_ROWS; row < end; row++) visit(row)
    }
  }
  return { rows, each }
}

function labelPart(image: SegmentImage, wanted: readonly number[]): Part & { bits: Uint32Array } {
  const { labelIds, labelBits, shape } = image
  const length = words(shape.count)
  const bits = new Uint32Array(length)
  for (const label of new Set(wanted)) {
    const at = lowerBound(labelIds, label)
    if (labelIds[at] !== label) continue
    for (let i = 0, from = at * length; i < length; i++) bits[i]! |= labelBits[from + i]!
  }
  const rows = bits.reduce((sum, word) => sum + bitCount(word), 0)
  const each = (visit: (row: number) => void) => {
    for (let i = 0; i < length; i++)
      for (let word = bits[i]!; word !== 0; word &= word - 1) visit(32 * i + 31 - Math.clz32(word & -word))
  }
  return { rows, bits, each }
}

function ordPart(image: SegmentImage, wanted: readonly number[]): Part & { rowSet: Set<number> } {
  const rowSet = new Set(wanted.map(ord => rowOf(image, ord)).filter(row => row >= 0))
  return { rows: rowSet.size, rowSet, each: visit => rowSet.forEach(row => void visit(row)) }
}

interface Test {
  readonly sources: Uint8Array | undefined
  readonly bits: Uint32Array | undefined
  readonly ords: ReadonlySet<number> | undefined
  readonly dead: boolean
}

function test(
  { dead, capturedAt, sourceOf }: SegmentImage,
  filter: IndexFilter,
  { sources, bits, ords, dead: hasDead }: Test,
): Selection['passes'] {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter
  const timed = from !== Number.NEGATIVE_INFINITY || to !== Number.POSITIVE_INFINITY
  if (!hasDead && !timed && sources === undefined && bits === undefined && ords === undefined)
    return undefined
  return row => {
    if (hasDead && hasBit(dead, row)) return false
    if (timed && !(capturedAt[row]! >= from && capturedAt[row]! < to)) return false
    if (sources !== undefined && sources[sourceOf[row]!] !== 1) return false
    if (bits !== undefined && !hasBit(bits, row)) return false
    return ords === undefined || ords.has(row)
  }
}

export function hasBit(bits: Uint32Array, at: number): boolean {
  return ((bits[at >>> 5]! >>> (at & 31)) & 1) === 1
}

/** Bits that are set in 32 (H. S. Warren, Hacker's Delight, 5-1). */
function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
