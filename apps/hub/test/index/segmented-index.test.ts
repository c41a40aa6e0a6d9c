import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { createLog } from '@sightline/core'
import { openSegmentedIndex, type SegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import type { SegmentedIndexOptions } from '@sightline/hub/index/segmented-index-options.js'
import { spawnSegmentWorker } from '@sightline/hub/index/worker-channel.js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { entriesOf, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const DIM = 32
const SEAL_AT = 300
const random = seededRandom(11)
/** Three segments and a tail. */
const ENTRIES = entriesOf(Array.from({ length: 3 * SEAL_AT + 200 }, () => randomUnit(DIM, random)))

let dir: string
let index: SegmentedIndex
const logged: { msg: string; err?: { code?: string } }[] = []
const log = createLog({
  name: 'test',
  level: 'info',
  destination: { write: line => void logged.push(JSON.parse(line)) },
})

const open = async (options: Partial<SegmentedIndexOptions> = {}) => {
  index = await openSegmentedIndex({ dir, dim: DIM, fingerprint: 'a:0', log, sealAt: SEAL_AT, ...options })
}

/** Adds what is missing, a segment's worth at a time. */
async function fill(): Promise<void> {
  for (let at = 0; at < ENTRIES.length; at += SEAL_AT) {
    await index.add(ENTRIES.slice(at, at + SEAL_AT))
    await index.settled()
  }
}

async function expectComplete(): Promise<void> {
  expect(index.stats().vectors).toBe(ENTRIES.length)
  const all = await index.search({ vector: ENTRIES[0]!.vector, k: ENTRIES.length })
  expect(new Set(all.map(hit => hit.ord)).size).toBe(ENTRIES.length)
  for (const entry of ENTRIES.filter((_, i) => i % 53 === 0))
    expect((await index.search({ vector: entry.vector, k: 1 }))[0]).toMatchObject({ ord: entry.ord })
}

const damageLogged = () => logged.some(line => line.err?.code === 'INDEX_DAMAGED')
const files = () => readdirSync(dir).sort()
/** A file of the `nth` segment. */
const file = (nth: number, part: string) => join(dir, `segment-${String(nth).padStart(8, '0')}.${part}`)
const segments = (...ids: number[]) =>
  ids.flatMap(id => ['image', 'rows'].map(part => `segment-${String(id).padStart(8, '0')}.${part}`))

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-segments-'))
  logged.length = 0
})
afterEach(async () => {
  await index.close()
  await rm(dir, { recursive: true, force: true })
})

describe('what was sealed', () => {
  let sealed: string
  beforeAll(async () => {
    sealed = await mkdtemp(join(tmpdir(), 'sightline-sealed-'))
    dir = sealed
    await open()
    await fill()
    expect(index.stats()).toMatchObject({ vectors: ENTRIES.length, tail: 200, segments: 3 })
    await index.close()
  })
  afterAll(() => rm(sealed, { recursive: true }))
  beforeEach(() => cpSync(sealed, dir, { recursive: true }))

  test('is found again', async () => {
    await open()
    expect(index.lastOrd).toBe(3 * SEAL_AT)
    expect(index.stats()).toMatchObject({ vectors: 3 * SEAL_AT, tail: 0, segments: 3 })
    await fill()
    await expectComplete()
    expect(damageLogged()).toBe(false)
  })

  const DAMAGES: readonly [string, (path: string) => void][] = [
    ['a flipped byte', path => rewrite(path, bytes => (bytes[bytes.length >> 1]! ^= 1))],
    [
      'a zeroed page',
      path => rewrite(path, bytes => bytes.subarray(bytes.length >> 1, (bytes.length >> 1) + 4096).fill(0)),
    ],
    ['a random page', path => rewrite(path, bytes => bytes.subarray(96, 4192).fill(0xa7))],
    ['a missing end', path => truncateSync(path, Math.floor(readFileSync(path).length * 0.7))],
    ['no content', path => truncateSync(path, 0)],
    ['no file', path => rmSync(path)],
  ]
  test.each(
    ['image', 'rows'].flatMap(part => DAMAGES.map(([name, damage]) => [name, part, damage] as const)),
  )('%s in %s: that segment and the later ones are dropped and rebuilt', async (_name, part, damage) => {
    damage(file(2, part))
    await open()
    expect(damageLogged()).toBe(true)
    expect(index.lastOrd).toBe(SEAL_AT)
    expect(files()).toEqual([...segments(1), 'segments.json'])
    await fill()
    await expectComplete()
    await index.close()
    await open()
    expect(index.lastOrd).toBe(3 * SEAL_AT)
  })

  test.each(DAMAGES)('%s in the list of segments: all are rebuilt', async (_name, damage) => {
    damage(join(dir, 'segments.json'))
    await open()
    expect(index.lastOrd).toBe(0)
    await fill()
    await expectComplete()
  })

  test.each([
    ['another model', { fingerprint: 'b:0' }],
    ['another numbering of sources', { generation: 'new' }],
    ['another length', { dim: 2 * DIM }],
  ])('is discarded for %s', async (_why, options) => {
    await open(options)
    expect(index.lastOrd).toBe(0)
    expect(files()).toEqual(['segments.json'])
    expect(damageLogged()).toBe(false)
  })

  test('is not mixed with what a killed process left unfinished', async () => {
    writeFileSync(file(4, 'rows.tmp'), 'half')
    writeFileSync(file(4, 'rows'), 'half')
    await open()
    expect(index.lastOrd).toBe(3 * SEAL_AT)
    expect(files()).toEqual([...segments(1, 2, 3), 'segments.json'])
  })
})

describe('a worker that ends', () => {
  const workers: Worker[] = []
  const watched: Partial<SegmentedIndexOptions> = {
    spawn: start => {
      const worker = spawnSegmentWorker(start)
      if (start.role === 'read') workers.push(worker)
      return worker
    },
  }
  beforeEach(async () => {
    workers.length = 0
    await open(watched)
    await fill()
    await index.search({ vector: ENTRIES[0]!.vector, k: 1 })
  })

  test('is replaced, and the searches under way are answered', async () => {
    const under = ENTRIES.slice(0, 20).map(entry => index.search({ vector: entry.vector, k: 1 }))
    await workers[0]!.terminate()
    expect((await Promise.all(under)).map(hits => hits[0]!.ord)).toEqual(ENTRIES.slice(0, 20).map(e => e.ord))
    expect(workers.length).toBeGreaterThan(1)
    await expectComplete()
  })

  test('needs no files to be replaced, but notices vectors that are not there: lastOrd steps back', async () => {
    truncateSync(file(3, 'rows'), 100)
    await workers[0]!.terminate()
    const hits = await index.search({ vector: ENTRIES[0]!.vector, k: 100 })
    expect(hits[0]!.ord).toBe(1)
    expect(damageLogged()).toBe(true)
    expect(index.lastOrd).toBe(2 * SEAL_AT)
    expect(index.stats()).toMatchObject({ vectors: 2 * SEAL_AT, tail: 0, segments: 2 })
    await fill()
    await expectComplete()
  })

  test('and vectors that are not those that were sealed', async () => {
    rewrite(file(3, 'rows'), bytes => bytes.fill(0x3e))
    const hits = await index.search({ vector: ENTRIES[2 * SEAL_AT + 5]!.vector, k: 1 })
    expect(hits).toHaveLength(1)
    expect(damageLogged()).toBe(true)
    expect(index.lastOrd).toBe(2 * SEAL_AT)
  })
})

describe('a seal that fails', () => {
  test.each(['rows', 'image'])(
    'because the disk is full while writing %s: nothing is lost, it is tried again',
    async part => {
      await open()
      symlinkSync('/dev/full', file(1, `${part}.tmp`))
      await index.add(ENTRIES.slice(0, SEAL_AT))
      await index.settled()
      expect(index.stats()).toMatchObject({ vectors: SEAL_AT, tail: SEAL_AT, segments: 0 })
      expect(logged.some(line => line.msg === 'index segment not sealed')).toBe(true)
      expect(files().filter(name => name.endsWith('.image'))).toEqual([])
      rmSync(file(1, `${part}.tmp`), { force: true })
      await fill()
      expect(index.stats().segments).toBeGreaterThan(0)
      await expectComplete()
    },
  )

  test('because the index is closed meanwhile: it closes at once and opens sound', async () => {
    await open()
    await index.add(ENTRIES)
    await index.close()
    await open()
    expect(index.lastOrd).toBe(0)
    await fill()
    await expectComplete()
    expect(damageLogged()).toBe(false)
  })
})

test('a backlog becomes one large segment', async () => {
  await open({ sealAt: 100 })
  await index.add(ENTRIES)
  await index.settled()
  expect(index.stats()).toMatchObject({ vectors: ENTRIES.length, tail: 0, segments: 1 })
  await expectComplete()
})

function rewrite(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

test('stops in the middle of a seal, time after time, without taking the process along', async () => {
  const script = `
    import { openSegmentedIndex } from '@sightline/hub/index/segmented-index.js'
    import { createLog } from '@sightline/core/log.js'
    const log = createLog({ name: 'test', level: 'silent' })
    const unit = () => {
      const v = Float32Array.from({ length: 256 }, () => Math.random() - 0.5)
      const norm = Math.hypot(...v)
      return v.map(x => x / norm)
    }
    for (let round = 0; round < 5; round++) {
      const dir = process.argv[1] + '/' + round
      const index = await openSegmentedIndex({ dir, dim: 256, fingerprint: 'a:0', log, sealAt: 2000 })
      await index.add(Array.from({ length: 2000 }, (_, i) => ({ ord: i + 1, vector: unit(), source: 1, capturedAt: i })))
      await new Promise(resolve => setTimeout(resolve, 60 + 60 * round))
      await index.close()
    }
  `
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
  })
  expect({ status: run.status, signal: run.signal, stderr: run.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  })
})

describe('merging', () => {
  const SMALL = 100
  const small = { sealAt: SMALL, maxSegment: 16 * SMALL }
  const MANY = entriesOf(Array.from({ length: 9 * SMALL + 30 }, () => randomUnit(DIM, random)))

  /** A segment's worth at a time, so that there is something to merge. */
  async function fillSmall(entries = MANY): Promise<void> {
    for (let at = 0; at < entries.length; at += SMALL) {
      await index.add(entries.slice(at, at + SMALL))
      await index.settled()
    }
  }

  async function expectAll(entries = MANY): Promise<void> {
    expect(index.stats().vectors).toBe(entries.length)
    const all = await index.search({ vector: MANY[0]!.vector, k: MANY.length })
    expect(all.map(hit => hit.ord).sort((a, b) => a - b)).toEqual(entries.map(entry => entry.ord))
  }

  test('makes four segments into one, and all is found before, while and afterwards', async () => {
    await open(small)
    let searching = true
    const missed: number[] = []
    const watcher = (async () => {
      while (searching) {
        const known = index.lastOrd
        const entry = known === 0 ? undefined : MANY[Math.floor(random() * known)]
        if (entry === undefined) await new Promise(resolve => setImmediate(resolve))
        else if ((await index.search({ vector: entry.vector, k: 1 }))[0]?.ord !== entry.ord)
          missed.push(entry.ord)
      }
    })()
    await fillSmall()
    searching = false
    await watcher
    expect(missed).toEqual([])
    expect(index.stats()).toMatchObject({ segments: 3, tail: 30 })
    await expectAll()
    const found = await index.search({
      vector: MANY[700]!.vector,
      k: 5,
      filter: { sources: [MANY[700]!.source] },
    })
    expect(found[0]!.ord).toBe(701)
    await index.close()
    await open(small)
    expect(index.lastOrd).toBe(9 * SMALL)
    await index.add(MANY)
    await expectAll()
    expect(damageLogged()).toBe(false)
  })

  test('keeps what was removed out, also when it is removed meanwhile', async () => {
    let removing: Promise<number> | undefined
    const odd = MANY.filter(entry => entry.ord % 2 === 1).map(entry => entry.ord)
    await open({
      ...small,
      failPoint: () => {
        removing ??= index.remove(odd)
      },
    })
    await index.add(MANY)
    await index.settled()
    await removing
    await index.settled()
    await expectAll(MANY.filter(entry => entry.ord % 2 === 0))
    // More than a fifth was removed, so it is gone from memory and disk.
    expect(index.stats().dead).toBe(0)
    await index.remove(MANY.map(entry => entry.ord))
    await index.settled()
    expect(index.stats()).toMatchObject({ vectors: 0, segments: 0, dead: 0 })
    expect(files()).toEqual(['segments.json'])
    await index.close()
    await open(small)
    expect(index.lastOrd).toBe(MANY.length)
  })

  test.each(['segment built', 'manifest written', 'segments removed'] as const)(
    'a crash at any point at which "%s" leaves a directory that opens sound',
    async point => {
      const crashes: string[] = []
      await open({
        ...small,
        failPoint: name => {
          if (name !== point) return
          const copy = `${dir}-crash-${crashes.length}`
          cpSync(dir, copy, { recursive: true })
          crashes.push(copy)
        },
      })
      const some = MANY.slice(0, 5 * SMALL + 30)
      await fillSmall(some)
      await index.close()
      expect(crashes.length).toBeGreaterThan(5)
      for (const crash of crashes) {
        await index.close()
        const again = { dir: crash, dim: DIM, fingerprint: 'a:0', log, sealAt: 10_000 }
        index = await openSegmentedIndex(again)
        const known = index.lastOrd
        expect(known % SMALL).toBe(0)
        await expectAll(some.slice(0, known))
        await index.add(some)
        await expectAll(some)
        await index.close()
        await rm(crash, { recursive: true })
      }
      expect(damageLogged()).toBe(false)
    },
    120_000,
  )
})
