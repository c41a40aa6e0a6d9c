import { expect, test } from 'vitest'
import { entriesOf, randomUnit, seededRandom } from '../../support/vectors.ts'
import { expected, recall } from './oracle.ts'
import { DIM, SEAL_AT, type Subject } from './subject.ts'

/** Removing, searching meanwhile, and opening again. */
export function lifeContract({ fresh, open }: Subject): void {
  test('what is removed is not found, is not counted and does not come back', async () => {
    const random = seededRandom(13)
    const entries = entriesOf(Array.from({ length: 2 * SEAL_AT + 150 }, () => randomUnit(DIM, random)))
    const index = await fresh()
    await index.add(entries.slice(0, 2 * SEAL_AT))
    await index.settled()
    await index.add(entries.slice(2 * SEAL_AT))
    const gone = (ord: number) => ord % 3 === 0 || (ord > 100 && ord < 750)
    const ords = entries.map(entry => entry.ord).filter(gone)
    expect(await index.remove([...ords, 999_999])).toBe(ords.length)
    expect(await index.remove(ords)).toBe(0)
    const left = entries.filter(entry => !gone(entry.ord))
    const check = async () => {
      expect(index.stats().vectors).toBe(left.length)
      for (const query of entries.filter((_, i) => i % 107 === 0).map(entry => entry.vector)) {
        const hits = await index.search({ vector: query, k: 10 })
        expect(hits.some(hit => gone(hit.ord))).toBe(false)
        expect(recall(hits, expected(left, query, 10))).toBeGreaterThanOrEqual(0.7)
      }
    }
    await check()
    await index.settled()
    await check()
    await index.add(entries)
    await check()
    const listed: number[] = []
    for (let page = await index.ords(0, 500); page.length > 0; page = await index.ords(page.at(-1)!, 500))
      listed.push(...page)
    expect(listed).toEqual(left.map(entry => entry.ord))
    await index.remove(left.map(entry => entry.ord))
    await index.settled()
    expect(await index.search({ vector: entries[0]!.vector, k: 5 })).toEqual([])
    expect(index.stats().vectors).toBe(0)
    expect(index.lastOrd).toBe(entries.length)
    await index.close()
  })

  test('searches while vectors are added see each of them exactly once', async () => {
    const random = seededRandom(7)
    const entries = entriesOf(Array.from({ length: 3 * SEAL_AT }, () => randomUnit(DIM, random)))
    const index = await fresh()
    for (let at = 0; at < entries.length; at += 100) {
      await index.add(entries.slice(at, at + 100))
      const last = entries[at + 99]!
      const hits = await index.search({ vector: last.vector, k: at + 100 })
      expect(hits[0]!.ord).toBe(last.ord)
      expect(hits.length).toBe(at + 100)
      expect(new Set(hits.map(hit => hit.ord)).size).toBe(at + 100)
    }
    await index.settled()
    expect(index.stats().vectors).toBe(entries.length)
    await index.close()
  })

  test('closed and opened again, it is complete once the entries after lastOrd were added', async () => {
    const random = seededRandom(8)
    const entries = entriesOf(Array.from({ length: 2 * SEAL_AT + 50 }, () => randomUnit(DIM, random)))
    const first = await open('reopened')
    await first.add(entries)
    await first.settled()
    await first.close()
    const second = await open('reopened')
    expect(second.lastOrd).toBeLessThanOrEqual(entries.length)
    await second.add(entries.filter(entry => entry.ord > second.lastOrd))
    expect(second.stats().vectors).toBe(entries.length)
    for (const entry of entries.filter((_, i) => i % 97 === 0))
      expect((await second.search({ vector: entry.vector, k: 1 }))[0]!.ord).toBe(entry.ord)
    await second.close()
    await second.close()
  })
}
