import { expect, test } from 'vitest'
import type { ApiClient } from '../../dashboard/src/api.ts'
import {
  type Erasure,
  eraseForGood,
  erasureText,
  measureErasure,
  scopeFault,
} from '../../dashboard/src/erase.ts'

const NOTHING: Erasure = {
  ...{ dryRun: true, frames: 0, thumbnails: 0, bytes: 0, incidents: 0, reviews: 0, savedSearchHits: 0 },
  ...{ examples: 0, commandResults: 0, quarantined: 0, nodes: 0, snapshots: [] },
}

test('it is said of what there is something, one is one', () => {
  expect(erasureText(NOTHING)).toEqual([])
  const some = { ...NOTHING, frames: 1200, bytes: 4_100_000, incidents: 1, savedSearchHits: 2, nodes: 1 }
  expect(erasureText(some)).toEqual([
    '1,200 frames with vectors and index entries, 4.1 MB',
    '1 incident',
    '2 hits of saved searches',
    '1 record of a device',
  ])
})

test('everything at once, and a time that ends before it begins, are refused', () => {
  expect(scopeFault({})).toMatch(/^Say of which/)
  expect(scopeFault({ site: 'home' })).toBeUndefined()
  expect(scopeFault({ to: '2026-01-01T00:00:00Z' })).toBeUndefined()
  const turned = { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }
  expect(scopeFault(turned)).toBe('The end must be after the start.')
})

test('a whole device is turned away, a part of it is not', async () => {
  const asked: string[] = []
  const api = {
    write: async (method: string, path: string) => {
      asked.push(`${method} ${path}`)
      return NOTHING
    },
  } as unknown as ApiClient
  await measureErasure(api, { site: 'home', node: 'n 1' })
  await eraseForGood(api, { site: 'home', node: 'n1', camera: 'yard' })
  await eraseForGood(api, { site: 'home', node: 'n1', from: '2026-01-01T00:00:00Z' })
  expect(asked).toEqual([
    'DELETE /devices/home/n%201?dryRun=true',
    'DELETE /frames?site=home&node=n1&camera=yard&dryRun=false',
    'DELETE /frames?site=home&node=n1&from=2026-01-01T00%3A00%3A00Z&dryRun=false',
  ])
})
