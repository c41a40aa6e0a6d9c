import { taggedOrds } from '@sightline/hub/index/tagged-ords.js'
import { expect, test } from 'vitest'

test('all numbers of a tag are read, however many, and others get their turn meanwhile', async () => {
  const all = Array.from({ length: 5000 }, (_, i) => 3 * (i + 1))
  let turns = 0
  const store = {
    tagged: (tag: string, after: number, limit: number) => {
      setImmediate(() => turns++)
      return tag === 'case 12' ? all.filter(ord => ord > after).slice(0, limit) : []
    },
  }
  expect(await taggedOrds(store, 'case 12')).toEqual(all)
  expect(turns).toBeGreaterThanOrEqual(2)
  expect(await taggedOrds(store, 'another')).toEqual([])
})
