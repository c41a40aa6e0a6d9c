import { createLog, fault } from '@sightline/core'
import { RecallProbe } from '@sightline/hub/index/recall-probe.js'
import type { IndexHit, IndexQuery } from '@sightline/hub/index/vector-index.js'
import { afterEach, expect, test } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const log = createLog({ name: 'test', level: 'silent' })
const MINUTE = 60_000
const hits = (...similarities: number[]): IndexHit[] =>
  similarities.map((similarity, i) => ({ ord: i + 1, capturedAt: i, similarity }))

const clock = new FakeClock()
const asked: IndexQuery[] = []
let answers = { exact: hits(0.9, 0.8, 0.7, 0.6), found: hits(0.9, 0.8, 0.7, 0.6) }
let exactMs = 0
let workedMs = 0
const index = {
  recent: [] as IndexQuery[],
  background: [Float32Array.of(1, 0)],
  ask: async (query: IndexQuery) => {
    asked.push(query)
    if (query.exact) workedMs += exactMs
    return query.exact ? answers.exact : answers.found
  },
}
const probe = new RecallProbe({ index, clock, log })
afterEach(() => probe.stop())

test('asks once a minute, exactly and as ever, what was asked and what a stored frame would ask', async () => {
  expect(probe.recall).toBeNaN()
  index.recent.push({ vector: Float32Array.of(0, 1), k: 50, filter: { sources: [3] } })
  await probe.start()
  await clock.advance(MINUTE)
  expect(asked.map(({ k, filter, exact }) => ({ k, filter, exact }))).toEqual([
    { k: 10, filter: { sources: [3] }, exact: true },
    { k: 10, filter: { sources: [3] }, exact: false },
  ])
  expect(probe.recall).toBe(1)
  answers = { ...answers, found: hits(0.9, 0.7, 0.6, 0.5) }
  await clock.advance(MINUTE)
  expect(asked[2]).toMatchObject({ vector: Float32Array.of(1, 0), exact: true })
  expect(probe.recall).toBe((1 + 0.75) / 2)
})

test('a frame of equal similarity is as good; an index that is being filled is asked later', async () => {
  const own = new RecallProbe({ index, clock, log })
  answers = { exact: hits(0.9, 0.5, 0.5), found: hits(0.9, 0.5, 0.5 - 1e-8) }
  await own.probe()
  expect(own.recall).toBe(1)
  answers = { exact: [], found: [] }
  await own.probe()
  expect(own.recall).toBe(1)
  const filling = new RecallProbe({
    index: { ...index, ask: () => Promise.reject(fault('NOT_READY', 'filling')) },
    clock,
    log,
  })
  await filling.start()
  await clock.advance(3 * MINUTE)
  expect(filling.recall).toBeNaN()
  await filling.stop()
})

test('where an exact search takes long, it is made more rarely: a hundredth of the time at most', async () => {
  exactMs = 10_000
  const working = {
    now: () => clock.now(),
    monotonic: () => workedMs,
    sleep: (delayMs: number, signal?: AbortSignal) => clock.sleep(delayMs, signal),
  }
  const slow = new RecallProbe({ index, clock: working, log })
  const before = asked.length
  await slow.start()
  await clock.advance(MINUTE)
  expect(asked.length - before).toBe(2)
  await clock.advance(15 * MINUTE)
  expect(asked.length - before).toBe(2)
  await clock.advance(2 * MINUTE)
  expect(asked.length - before).toBe(4)
  await slow.stop()
})
