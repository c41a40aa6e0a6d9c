import { spawnSync } from 'node:child_process'
import { rmSync, symlinkSync, truncateSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import type { SegmentedIndexOptions } from '@sightline/hub/index/segmented-index-options.js'
import { spawnSegmentWorker } from '@sightline/hub/index/worker-channel.js'
import { beforeEach, describe, expect, test } from 'vitest'
import { ENTRIES, rewrite, SEAL_AT, SegmentDirectory } from './segment-directory.ts'

const at = SegmentDirectory.inEachTest()

test('a backlog becomes one large segment', async () => {
  await at.open({ sealAt: 100 })
  await at.index.add(ENTRIES)
  await at.index.settled()
  expect(at.index.stats()).toMatchObject({ vectors: ENTRIES.length, tail: 0, segments: 1 })
  await at.expectComplete()
})

describe('a seal that fails', () => {
  test.each(['rows', 'image'])(
    'because the disk is full while writing %s: nothing is lost, it is tried again',
    async part => {
      await at.open()
      symlinkSync('/dev/full', at.file(1, `${part}.tmp`))
      await at.index.add(ENTRIES.slice(0, SEAL_AT))
      await at.index.settled()
      expect(at.index.stats()).toMatchObject({ vectors: SEAL_AT, tail: SEAL_AT, segments: 0 })
      expect(at.logged.some(line => line.msg === 'index segment not sealed')).toBe(true)
      expect(at.files().filter(name => name.endsWith('.image'))).toEqual([])
      rmSync(at.file(1, `${part}.tmp`), { force: true })
      await at.fill()
      expect(at.index.stats().segments).toBeGreaterThan(0)
      await at.expectComplete()
    },
  )

  test('because the index is closed meanwhile: it closes at once and opens sound', async () => {
    await at.open()
    await at.index.add(ENTRIES)
    await at.index.close()
    await at.open()
    expect(at.index.lastOrd).toBe(0)
    await at.fill()
    await at.expectComplete()
    expect(at.damageLogged()).toBe(false)
  })
})

const workers: Worker[] = []
const watched: Partial<SegmentedIndexOptions> = {
  spawn: start => {
    const worker = spawnSegmentWorker(start)
    if (start.role === 'read') workers.push(worker)
    return worker
  },
}
beforeEach(() => {
  workers.length = 0
})

describe('a brief search', () => {
  beforeEach(async () => {
    await at.open(watched)
    await at.fill()
  })
  const ask = (k: number) => at.index.search({ vector: ENTRIES[7]!.vector, k })

  test('asks no thread, and lets the event loop turn before it answers', async () => {
    let turned = false
    setImmediate(() => {
      turned = true
    })
    expect((await ask(1))[0]).toMatchObject({ ord: 8 })
    expect(turned).toBe(true)
    expect(workers).toHaveLength(0)
  })

  test('is the only one in its turn: others go to a thread and find the same', async () => {
    const [one, other] = await Promise.all([ask(10), ask(10)])
    expect(workers).toHaveLength(1)
    expect(other).toEqual(one)
  })

  test('is none that asks for much: a thread answers', async () => {
    expect(await ask(1000)).toHaveLength(1000)
    expect(workers).toHaveLength(1)
  })

  test('that finds vectors damaged forgets their segment, as one in a thread does', async () => {
    truncateSync(at.file(3, 'rows'), 100)
    expect(await at.index.search({ vector: ENTRIES[2 * SEAL_AT + 5]!.vector, k: 1 })).toHaveLength(1)
    expect(at.damageLogged()).toBe(true)
    expect(at.index.lastOrd).toBe(2 * SEAL_AT)
    await at.fill()
    await at.expectComplete()
  })
})

describe('a worker that ends', () => {
  beforeEach(async () => {
    await at.open(watched)
    await at.fill()
    await at.index.search({ vector: ENTRIES[0]!.vector, k: 1, exact: true })
  })

  test('is replaced, and the searches under way are answered', async () => {
    const under = ENTRIES.slice(0, 20).map(entry => at.index.search({ vector: entry.vector, k: 1 }))
    await workers[0]!.terminate()
    expect((await Promise.all(under)).map(hits => hits[0]!.ord)).toEqual(ENTRIES.slice(0, 20).map(e => e.ord))
    expect(workers.length).toBeGreaterThan(1)
    await at.expectComplete()
  })

  test('needs no files to be replaced, but notices vectors that are not there: lastOrd steps back', async () => {
    truncateSync(at.file(3, 'rows'), 100)
    await workers[0]!.terminate()
    const hits = await at.index.search({ vector: ENTRIES[0]!.vector, k: 100 })
    expect(hits[0]!.ord).toBe(1)
    expect(at.damageLogged()).toBe(true)
    expect(at.index.lastOrd).toBe(2 * SEAL_AT)
    expect(at.index.stats()).toMatchObject({ vectors: 2 * SEAL_AT, tail: 0, segments: 2 })
    await at.fill()
    await at.expectComplete()
  })

  test('and vectors that are not those that were sealed', async () => {
    rewrite(at.file(3, 'rows'), bytes => bytes.fill(0x3e))
    const hits = await at.index.search({ vector: ENTRIES[2 * SEAL_AT + 5]!.vector, k: 1 })
    expect(hits).toHaveLength(1)
    expect(at.damageLogged()).toBe(true)
    expect(at.index.lastOrd).toBe(2 * SEAL_AT)
  })
})

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
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script, at.dir], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
  })
  expect({ status: run.status, signal: run.signal, stderr: run.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  })
})
