import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { openTables } from '@sightline/hub/store/lmdb-tables.js'
import type { Delivery, RecordStore } from '@sightline/hub/store/record-store.js'
import { segmentReader } from '@sightline/hub/verify/segment-content.js'
import { verifyData } from '@sightline/hub/verify/verify-store.js'
import { open } from 'lmdb'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ADDRESS, SESSION } from '../ingest/messages.ts'

const log = createLog({ name: 'test', level: 'silent' })
const idOf = (seq: number) => `${ADDRESS.site}~${ADDRESS.node}~${SESSION}~${seq}`

let dir = ''
let store: RecordStore
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tags-'))
  store = await openLmdbStore({ dir: join(dir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  await store.append(delivery([1, 2, 3]))
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

function delivery(seqs: readonly number[], tags?: readonly string[]): Delivery {
  const frames = seqs.map(seq => ({
    ...{ seq, camera: seq === 2 ? 'gate' : 'yard', capturedAt: seq, verdicts: [], tags },
    vector: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0),
  }))
  const head = { ...ADDRESS, session: SESSION, fingerprint: 'f', historical: false, receivedAt: 1 }
  return { ...head, frames, events: [], skipped: [] }
}

const give = (tag: string, ...seqs: number[]) =>
  store.changeTags({ frames: seqs.map(idOf), add: [tag], remove: [] })
const verified = () => verifyData(dir, segmentReader(join(dir, 'index')))

it('gives tags and takes them, and counts what it changed', async () => {
  expect(await give('case 12', 1, 2)).toBe(2)
  expect(await give('case 12', 2, 3, 99)).toBe(1)
  await store.changeTags({ frames: [idOf(1)], add: ['a boat'], remove: [] })
  expect(store.frame(idOf(1))?.tags).toEqual(['a boat', 'case 12'])
  expect(store.tagged('case 12', 0, 10)).toEqual([1, 2, 3])
  expect(store.tagged('case 12', 1, 1)).toEqual([2])
  expect(store.tags()).toEqual([
    { tag: 'a boat', frames: 1 },
    { tag: 'case 12', frames: 3 },
  ])
  expect(await store.changeTags({ frames: [idOf(1), idOf(2)], add: [], remove: ['case 12'] })).toBe(2)
  expect(store.frame(idOf(2))).not.toHaveProperty('tags')
  expect(store.tagged('case 12', 0, 10)).toEqual([3])
  await store.changeTags({ frames: [idOf(3)], add: [], remove: ['case 12'] })
  expect(store.tags()).toEqual([{ tag: 'a boat', frames: 1 }])
})

it('finds the newest frames of a tag, within the rest of the filter', async () => {
  await give('case 12', 1, 2)
  const seqs = (filter: Parameters<RecordStore['recent']>[0]) =>
    store.recent(filter, 10).map(({ seq }) => seq)
  expect(seqs({ tag: 'case 12' })).toEqual([2, 1])
  expect(seqs({ tag: 'case 12', camera: 'yard' })).toEqual([1])
  expect(seqs({ tag: 'case 12', scope: ['*/*/gate'] })).toEqual([2])
  expect(seqs({ tag: 'case 12', from: 3 })).toEqual([])
  expect(seqs({ tag: 'case 1' })).toEqual([])
})

it('takes in frames with their tags, and lets these go with the frames', async () => {
  await store.append(delivery([4, 5], ['archive', 'archive']))
  expect(store.frame(idOf(5))?.tags).toEqual(['archive'])
  expect(store.tags()).toEqual([{ tag: 'archive', frames: 2 }])
  expect(await verified()).toMatchObject({ ok: true, frames: 5 })
  await store.deleteFrames({ filter: {}, after: 4, rows: 10 })
  expect(store.tags()).toEqual([{ tag: 'archive', frames: 1 }])
  expect(store.tagged('archive', 0, 10)).toEqual([4])
})

it('refuses more than there is room for, and changes nothing then', async () => {
  const add = Array.from({ length: 17 }, (_, i) => `tag ${i}`)
  await expect(store.changeTags({ frames: [idOf(1)], add, remove: [] })).rejects.toMatchObject({
    code: 'TAG_LIMIT',
  })
  await expect(store.append(delivery([4], add))).rejects.toMatchObject({ code: 'TAG_LIMIT' })
  expect(store.tags()).toEqual([])
  expect(store.frame(idOf(4))).toBeUndefined()
  // Not even the frames before the one that has no room.
  await store.changeTags({ frames: [idOf(2)], add: add.slice(0, 16), remove: [] })
  await expect(give('one too many', 1, 2)).rejects.toMatchObject({ code: 'TAG_LIMIT' })
  expect(store.frame(idOf(1))).not.toHaveProperty('tags')
  expect(store.tagged('one too many', 0, 10)).toEqual([])
  await store.changeTags({ frames: [idOf(2)], add: [], remove: add })

  await store.append(delivery(Array.from({ length: 96 }, (_, i) => 4 + i)))
  for (let tag = 0, seq = 1; tag < 1000; tag += 16, seq++) {
    const some = Array.from({ length: Math.min(16, 1000 - tag) }, (_, i) => `tag ${tag + i}`)
    await store.changeTags({ frames: [idOf(seq)], add: some, remove: [] })
  }
  expect(store.tags()).toHaveLength(1000)
  await expect(give('one more', 90, 91)).rejects.toMatchObject({ code: 'TAG_LIMIT' })
  expect(await give('tag 7', 90, 91)).toBe(2)
})

it('is verified: frames and tags lead to one another', async () => {
  await give('case 12', 1)
  const { root } = await openTables(join(dir, 'store'))
  const byTag = root.openDB<true, [string, number]>('frames-by-tag', {})
  await byTag.remove(['case 12', 1])
  await byTag.put(['gone', 2], true)
  await root.close()
  expect((await verified()).faults).toEqual([
    { kind: 'not listed under its tag', count: 1, examples: [idOf(1)] },
    { kind: 'orphan tag', count: 1, examples: ['gone: 2'] },
  ])
})

it('verifies a store from before there were tags', async () => {
  await store.close()
  const root = open({ path: join(dir, 'store'), maxDbs: 64, overlappingSync: false })
  for (const name of ['frames-by-tag', 'tags']) await root.openDB(name, {}).drop()
  await root.close()
  expect(await verified()).toMatchObject({ ok: true, frames: 3 })
  store = await openLmdbStore({ dir: join(dir, 'store'), clock: systemClock, log, minFreeBytes: 0 })
  expect(await give('case 12', 1)).toBe(1)
})
