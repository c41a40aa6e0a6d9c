import { encodeQuery } from '@sightline/hub/index/code-scorer.js'
import { BlockScanner } from '@sightline/hub/index/tail-scan.js'
import { TopK } from '@sightline/hub/index/top-k.js'
import { type RowTest, scanSlice, VectorRows } from '@sightline/hub/index/vector-rows.js'
import { expect, test } from 'vitest'
import { nearUnit, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const K = 10
const random = seededRandom(33)

/** As CLIP makes them: one element is far larger than the others, so that codes are rough. */
function lopsided(vector: Float32Array): Float32Array {
  const sum = vector.map((value, i) => (i === 5 ? 0.8 : 0.6 * value))
  const norm = Math.hypot(...sum)
  return sum.map(value => value / norm)
}

const KINDS: [string, number, (centre: Float32Array, dim: number) => Float32Array][] = [
  ['random', 64, (_, dim) => randomUnit(dim, random)],
  ['of a length that no step divides', 50, (_, dim) => randomUnit(dim, random)],
  ['almost equal', 64, centre => nearUnit(centre, 0.02, random)],
  ['with one large element', 64, (_, dim) => lopsided(randomUnit(dim, random))],
]

test.each(KINDS)(
  'vectors %s: the best are those of comparing all vectors, removed ones left out',
  (_name, dim, draw) => {
    const centre = randomUnit(dim, random)
    const rows = new VectorRows(dim)
    for (let ord = 1; ord <= 1500; ord++)
      rows.append({ ord, vector: draw(centre, dim), source: ord % 3, capturedAt: ord })
    for (let ord = 7; ord <= 1500; ord += 7) rows.remove(ord)
    const [slice] = rows.snapshot()
    const scanner = new BlockScanner(slice!.block, 2)
    const third: RowTest = (block, row) => block.sources[row] === 1
    for (let round = 0; round < 30; round++) {
      const vector = draw(centre, dim)
      const passes = round % 2 === 0 ? undefined : third
      const best = new TopK(K)
      scanner.scan({ from: 20, to: 1450 }, { vector, coded: encodeQuery(vector), k: K, passes }, best)
      const all = new TopK(K)
      scanSlice({ ...slice!, from: 20, to: 1450 }, vector, passes, all)
      expect(best.hits().map(({ ord }) => ord)).toEqual(all.hits().map(({ ord }) => ord))
    }
  },
)

test('fewer rows than are asked for are all found', () => {
  const rows = new VectorRows(32)
  for (let ord = 1; ord <= 4; ord++)
    rows.append({ ord, vector: randomUnit(32, random), source: 0, capturedAt: ord })
  const [slice] = rows.snapshot()
  const best = new TopK(K)
  const vector = randomUnit(32, random)
  new BlockScanner(slice!.block, 0).scan(
    slice!,
    { vector, coded: encodeQuery(vector), k: K, passes: undefined },
    best,
  )
  expect(best.hits()).toHaveLength(4)
})
