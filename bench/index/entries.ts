import type { IndexEntry, IndexFilter } from '@sightline/hub/index/vector-index.js'
import type { ClusteredSet } from '../clusters.ts'

/** Labels of an entry: so rare that 50 %, 5 %, 0.5 % and 0.01 % have them, spread evenly over scenes and time. */
const SELECTIVITIES = [
  { share: '50 %', every: 2 },
  { share: '5 %', every: 20 },
  { share: '0.5 %', every: 200 },
  { share: '0.01 %', every: 10_000 },
] as const

const SOURCES = 16
const PERIOD_MS = 1000

/** An entry a second; the label is the place in `SELECTIVITIES`. */
export function entryOf(vector: Float32Array, i: number): IndexEntry {
  return { ord: i + 1, vector, source: i % SOURCES, capturedAt: PERIOD_MS * i, labels: labelsOf(i) }
}

/** In order, so many at a time. */
export function* entriesOf(set: ClusteredSet, size: number): Generator<IndexEntry[]> {
  let known = 0
  for (const vectors of set.portions(size)) {
    const first = known
    yield vectors.map((vector, i) => entryOf(vector, first + i))
    known += vectors.length
  }
}

function labelsOf(i: number): number[] {
  // A multiplicative hash, so that a label does not fall on every n-th frame of a scene (Knuth 1973, 6.4).
  const draw = Math.imul(i, 0x9e3779b1) >>> 0
  return SELECTIVITIES.flatMap(({ every }, label) => (draw < 2 ** 32 / every ? [label] : []))
}

export interface NamedFilter {
  readonly what: string
  readonly filter: IndexFilter
  /** The same, said of an entry's number. */
  readonly passes: (ord: number) => boolean
}

/** Of an index of `count` entries. */
export function filtersOf(count: number): NamedFilter[] {
  const [from, to] = [(PERIOD_MS * count) / 4, (PERIOD_MS * count * 3) / 4]
  const inTime = (ord: number) => PERIOD_MS * (ord - 1) >= from && PERIOD_MS * (ord - 1) < to
  return [
    ...SELECTIVITIES.map(({ share }, label) => ({
      what: `${share} of the vectors`,
      filter: { labels: [label] },
      passes: (ord: number) => labelsOf(ord - 1).includes(label),
    })),
    { what: 'half of the time', filter: { from, to }, passes: inTime },
    {
      what: 'a sixteenth by source, half of the time',
      filter: { sources: [3], from, to },
      passes: (ord: number) => (ord - 1) % SOURCES === 3 && inTime(ord),
    },
  ]
}
