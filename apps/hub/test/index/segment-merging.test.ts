import { cpSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { entriesOf, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { DIM, SegmentDirectory } from './segment-directory.ts'

const at = SegmentDirectory.inEachTest()
const random = seededRandom(12)

describe('merging', () => {
  const SMALL = 100
  const small = { sealAt: SMALL, maxSegment: 16 * SMALL }
  const MANY = entriesOf(Array.from({ length: 9 * SMALL + 30 }, () => randomUnit(DIM, random)))

  /** A segment's worth at a time, so that there is something to merge. */
  async function fillSmall(entries = MANY): Promise<void> {
    for (let from = 0; from < entries.length; from += SMALL) {
      await at.index.add(entries.slice(from, from + SMALL))
      await at.index.settled()
    }
  }

  async function expectAll(entries = MANY): Promise<void> {
    expect(at.index.stats().vectors).toBe(entries.length)
    const all = await at.index.search({ vector: MANY[0]!.vector, k: MANY.length })
    expect(all.map(hit => hit.ord).sort((a, b) => a - b)).toEqual(entries.map(entry => entry.ord))
  }

  test('makes four segments into one, and all is found before, while and afterwards', async () => {
    await at.open(small)
    let searching = true
    const missed: number[] = []
    const watcher = (async () => {
      while (searching) {
        const known = at.index.lastOrd
        const entry = known === 0 ? undefined : MANY[Math.floor(random() * known)]
        if (entry === undefined) await new Promise(resolve => setImmediate(resolve))
        else if ((await at.index.search({ vector: entry.vector, k: 1 }))[0]?.ord !== entry.ord)
          missed.push(entry.ord)
      }
    })()
    await fillSmall()
    searching = false
    await watcher
    expect(missed).toEqual([])
    expect(at.index.stats()).toMatchObject({ segments: 3, tail: 30 })
    await expectAll()
    const found = await at.index.search({
      vector: MANY[700]!.vector,
      k: 5,
      filter: { sources: [MANY[700]!.source] },
    })
    expect(found[0]!.ord).toBe(701)
    await at.index.close()
    await at.open(small)
    expect(at.index.lastOrd).toBe(9 * SMALL)
    await at.index.add(MANY)
    await expectAll()
    expect(at.damageLogged()).toBe(false)
  })

  test('keeps what was removed out, also when it is removed meanwhile', async () => {
    let removing: Promise<number> | undefined
    const odd = MANY.filter(entry => entry.ord % 2 === 1).map(entry => entry.ord)
    await at.open({
      ...small,
      failPoint: () => {
        removing ??= at.index.remove(odd)
      },
    })
    await at.index.add(MANY)
    await at.index.settled()
    await removing
    await at.index.settled()
    await expectAll(MANY.filter(entry => entry.ord % 2 === 0))
    // More than a fifth was removed, so it is gone from memory and disk.
    expect(at.index.stats().dead).toBe(0)
    await at.index.remove(MANY.map(entry => entry.ord))
    await at.index.settled()
    expect(at.index.stats()).toMatchObject({ vectors: 0, segments: 0, dead: 0 })
    expect(at.files()).toEqual(['segments.json'])
    await at.index.close()
    await at.open(small)
    expect(at.index.lastOrd).toBe(MANY.length)
  })

  test.each(['segment built', 'manifest written', 'segments removed'] as const)(
    'a crash at any point at which "%s" leaves a directory that opens sound',
    async point => {
      const crashes: string[] = []
      await at.open({
        ...small,
        failPoint: name => {
          if (name !== point) return
          const copy = `${at.dir}-crash-${crashes.length}`
          cpSync(at.dir, copy, { recursive: true })
          crashes.push(copy)
        },
      })
      const some = MANY.slice(0, 5 * SMALL + 30)
      await fillSmall(some)
      await at.index.close()
      expect(crashes.length).toBeGreaterThan(5)
      for (const crash of crashes) {
        await at.index.close()
        await at.open({ dir: crash, sealAt: 10_000 })
        const known = at.index.lastOrd
        expect(known % SMALL).toBe(0)
        await expectAll(some.slice(0, known))
        await at.index.add(some)
        await expectAll(some)
        await at.index.close()
        await rm(crash, { recursive: true })
      }
      expect(at.damageLogged()).toBe(false)
    },
    120_000,
  )
})
