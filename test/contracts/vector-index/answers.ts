import type { IndexEntry } from '@sightline/hub/index/vector-index.js'
import { expect, test } from 'vitest'
import { entriesOf, randomUnit, seededRandom } from '../../support/vectors.ts'
import { expected } from './oracle.ts'
import { DIM, SEAL_AT, type Subject } from './subject.ts'

/** What is asked and refused, and in what order answers come. */
export function answersContract({ fresh }: Subject): void {
  test('an empty index answers with nothing', async () => {
    const index = await fresh()
    expect(await index.search({ vector: randomUnit(DIM, seededRandom(1)), k: 5 })).toEqual([])
    expect(await index.ords(0, 9)).toEqual([])
    expect(await index.remove([1])).toBe(0)
    expect(index.lastOrd).toBe(0)
    expect(index.stats()).toMatchObject({ vectors: 0, tail: 0, segments: 0, dead: 0 })
    await index.close()
  })

  test('what was added is found at once, exactly, best first', async () => {
    const random = seededRandom(2)
    const entries = entriesOf(Array.from({ length: 300 }, () => randomUnit(DIM, random)))
    const index = await fresh()
    await index.add(entries)
    for (const query of Array.from({ length: 20 }, () => randomUnit(DIM, random))) {
      const hits = await index.search({ vector: query, k: 10 })
      const wanted = expected(entries, query, 10)
      expect(hits.map(hit => hit.ord)).toEqual(wanted.map(hit => hit.ord))
      for (const [i, hit] of hits.entries()) expect(hit.similarity).toBeCloseTo(wanted[i]!.similarity, 5)
    }
    await index.close()
  })

  test('k beyond the size gives everything; ties come newest first', async () => {
    const vector = randomUnit(DIM, seededRandom(3))
    const index = await fresh()
    await index.add(entriesOf([vector, vector, vector]))
    expect((await index.search({ vector: vector, k: 50 })).map(hit => hit.ord)).toEqual([3, 2, 1])
    expect((await index.search({ vector: vector, k: 2 })).map(hit => hit.ord)).toEqual([3, 2])
    await index.close()
  })

  test('equal scores come newest captured first, wherever they lie', async () => {
    const random = seededRandom(9)
    const vector = randomUnit(DIM, random)
    const noise = Array.from({ length: SEAL_AT }, () => randomUnit(DIM, random))
    const index = await fresh()
    // A backlog: what is stored later was captured earlier.
    const at = (ord: number, capturedAt: number): IndexEntry => ({ ord, vector, source: 1, capturedAt })
    await index.add([at(1, 300), at(2, 500), at(3, 300)])
    await index.add(entriesOf(noise, 4))
    await index.settled()
    await index.add([at(SEAL_AT + 4, 400), at(SEAL_AT + 5, 100)])
    const hits = await index.search({ vector, k: 5 })
    expect(hits.map(hit => hit.ord)).toEqual([2, SEAL_AT + 4, 3, 1, SEAL_AT + 5])
    expect(new Set(hits.map(hit => hit.similarity)).size).toBe(1)
    await index.close()
  })

  test('a query that is not a number, or not of unit length, is refused', async () => {
    const index = await fresh()
    const vector = randomUnit(DIM, seededRandom(10))
    await index.add(entriesOf([vector]))
    for (const bad of [vector.map(() => Number.NaN), vector.map(value => 2 * value)])
      await expect(index.search({ vector: bad, k: 1 })).rejects.toMatchObject({
        code: 'MODEL_OUTPUT_INVALID',
      })
    expect(await index.search({ vector, k: 0 })).toEqual([])
    await index.close()
  })

  test('ords that are not new are ignored', async () => {
    const random = seededRandom(4)
    const [a, b, c] = Array.from({ length: 3 }, () => randomUnit(DIM, random)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const index = await fresh()
    await index.add(entriesOf([a, b]))
    await index.add(entriesOf([c, c, c]))
    expect(index.lastOrd).toBe(3)
    expect((await index.search({ vector: a, k: 10 })).map(hit => hit.ord).sort()).toEqual([1, 2, 3])
    expect((await index.search({ vector: a, k: 1 }))[0]).toMatchObject({ ord: 1 })
    await index.close()
  })

  test('vectors of another length or not of unit length are refused, and with them their whole batch', async () => {
    const index = await fresh()
    const random = seededRandom(5)
    const good = randomUnit(DIM, random)
    const batch = (bad: Float32Array) => index.add(entriesOf([good, bad]))
    await expect(batch(randomUnit(DIM / 2, random))).rejects.toMatchObject({ code: 'MODEL_DIM_MISMATCH' })
    await expect(batch(good.map(() => Number.NaN))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    await expect(batch(good.map(value => 2 * value))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    expect(index.stats().vectors).toBe(0)
    await expect(index.search({ vector: randomUnit(DIM / 2, random), k: 1 })).rejects.toMatchObject({
      code: 'MODEL_DIM_MISMATCH',
    })
    await index.close()
  })
}
