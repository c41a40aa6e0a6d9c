import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, dot, type NodeState, systemClock } from '@sightline/core'
import { BackgroundEstimate } from '@sightline/core/moderation/background.js'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { ruleLogit } from '@sightline/core/moderation/rule-logit.js'
import { Backtest, type BacktestJob, type BacktestReport } from '@sightline/hub/moderation/backtest.js'
import type { FindingsPlan } from '@sightline/hub/moderation/backtest-findings.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameSource, type StoredFrameSpec } from '../../../../test/support/stored-frames.ts'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { axis, compiledFor, DIM, FINGERPRINT, mix } from './rules.ts'

const log = createLog({ name: 'test', level: 'silent' })
const KNIFE = { id: 'knife', name: 'Knife', positives: ['axis:0'], negatives: ['axis:1'] }
const HIT = axis(0)
const MISS = axis(1)
const DAY = 86_400_000

let dir = ''
let store: RecordStore
let source: FrameSource
let labels: FindingsPlan['labels'] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backtest-'))
  store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  source = new FrameSource(store)
  labels = []
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

const frames = (vectors: readonly Float32Array[], startAt = 0, change: Partial<StoredFrameSpec> = {}) =>
  vectors.map((vector, i) => ({
    vector,
    capturedAt: startAt + 1000 * i,
    fingerprint: FINGERPRINT,
    ...change,
  }))

const newBacktest = () => new Backtest({ store, labelsOf: () => labels, log })

async function run(
  rule: Record<string, unknown> = KNIFE,
  change: Partial<BacktestJob> = {},
): Promise<BacktestReport> {
  const { bundle } = await compiledFor([rule])
  const signal = new AbortController().signal
  return newBacktest().run({ bundle, filter: {}, top: 24, signal, onProgress: () => {}, ...change })
}

describe('Backtest', () => {
  it('finds the incidents that a device would have raised', async () => {
    await source.append(frames([MISS, HIT, HIT, MISS, MISS, HIT, MISS]))
    const { findings, scanned } = await run()
    expect(scanned).toBe(7)
    expect(findings).toMatchObject({ frames: 7, fired: 3, incidents: 2, first: 0, last: 6000 })
    expect(findings.topIncidents).toMatchObject([
      { source: 'site~node~camera', startedAt: 1000, endedAt: 3000, frames: 2 },
      { startedAt: 5000, endedAt: 6000, frames: 1 },
    ])
    expect(findings.topIncidents[0]!.peakScore).toBeGreaterThan(0.99)
  })

  it('heeds minFrames, the delay and the pause, on the time of the frames', async () => {
    await source.append(frames([HIT, MISS, HIT, HIT, MISS, HIT, HIT, MISS]))
    expect((await run({ ...KNIFE, minFrames: 2 })).findings.incidents).toBe(2)
    expect((await run({ ...KNIFE, minFrames: 3 })).findings.incidents).toBe(0)
    expect((await run({ ...KNIFE, offDelaySeconds: 5 })).findings.incidents).toBe(1)
    expect((await run({ ...KNIFE, cooldownSeconds: 60 })).findings.incidents).toBe(1)
  })

  it('takes frames in the order of their capture, camera by camera', async () => {
    const [late, early] = [frames([HIT, HIT], 10_000), frames([HIT, MISS, HIT])]
    await source.append(late)
    await source.append(early)
    await source.append(frames([HIT, HIT], 0, { camera: 'other' }))
    const { findings } = await run()
    expect(findings.incidents).toBe(3)
    expect(findings.cameras).toEqual([
      { source: 'site~node~camera', frames: 5, fired: 4, incidents: 2 },
      { source: 'site~node~other', frames: 2, fired: 2, incidents: 1 },
    ])
    const open = findings.topIncidents.filter(incident => incident.endedAt === null)
    expect(open.map(incident => [incident.source, incident.startedAt])).toEqual([
      ['site~node~other', 0],
      ['site~node~camera', 2000],
    ])
  })

  it('keeps to the filter, the cameras of the rule and the model', async () => {
    await source.append(frames([HIT, HIT], 0, { camera: 'yard' }))
    await source.append(frames([HIT], 5000, { camera: 'lobby' }))
    await source.append(frames([HIT], 0, { camera: 'yard', fingerprint: 'other:000000000000' }))
    expect(await run()).toMatchObject({ scanned: 4, otherModels: 1, findings: { frames: 3 } })
    const framesOf = async (filter: BacktestJob['filter'], rule: object = {}) =>
      (await run({ ...KNIFE, ...rule }, { filter })).findings.frames
    expect(await framesOf({ camera: 'yard' })).toBe(2)
    expect(await framesOf({ from: 1000 })).toBe(2)
    expect(await framesOf({ from: 1000, to: 5000 })).toBe(1)
    expect(await framesOf({ node: 'nowhere' })).toBe(0)
    expect(await framesOf({}, { cameras: ['l*'] })).toBe(1)
  })

  it('counts by day and by score', async () => {
    await source.append(frames([HIT, HIT, MISS], DAY - 1000))
    const { findings } = await run()
    expect(findings.days).toEqual([
      { day: 0, frames: 1, fired: 1, incidents: 1 },
      { day: DAY, frames: 2, fired: 1, incidents: 0 },
    ])
    expect(findings.belowGate).toBe(1)
    expect(findings.histogram).toHaveLength(20)
    expect(findings.histogram[19]).toBe(2)
  })

  it('shows the best and the nearest to the threshold, one a minute', async () => {
    const edge = mix({ 0: 1, 1: 0.96 })
    await source.append(frames([HIT, HIT, edge, MISS]))
    await source.append(frames([HIT, edge], 120_000))
    const { findings } = await run()
    expect(findings.best.map(({ ord }) => ord)).toEqual([5, 2])
    expect(findings.borderline.map(({ ord }) => ord)).toEqual([6, 3])
    expect(findings.borderline[0]!.score).toBeGreaterThan(0.5)
    expect(findings.borderline[0]!.similarity).toBeCloseTo(dot(edge, axis(0)), 5)
    expect((await run(KNIFE, { top: 1 })).findings.best).toHaveLength(1)
  })

  it('measures itself by what was reviewed', async () => {
    await source.append(frames([HIT, HIT, MISS, MISS]))
    expect((await run()).findings.labelled).toBeNull()
    labels = [
      { ord: 1, positive: true },
      { ord: 2, positive: false },
      { ord: 3, positive: true },
      { ord: 999, positive: true },
    ]
    expect((await run()).findings.labelled).toMatchObject({
      frames: 3,
      truePositives: 1,
      falsePositives: 1,
      falseNegatives: 1,
      trueNegatives: 0,
      precision: 0.5,
      recall: 0.5,
    })
  })

  it('scores as the definition does, background included, whatever the threads do', async () => {
    const random = seededRandom(5)
    const vectors = Array.from({ length: 40_000 }, () => randomUnit(DIM, random))
    for (let i = 0; i < vectors.length; i += 4000) {
      const part = frames(vectors.slice(i, i + 4000), i * 1000)
      await source.append(part)
    }
    const rule = { ...KNIFE, minSimilarity: 0.05, on: 0.6, off: 0.4 }
    const { bundle } = await compiledFor([rule])
    const rows = new Float32Array(new Uint8Array(bundle.vectors).buffer)
    const at = (row: number, frame: Float32Array) => dot(rows.subarray(row * DIM, (row + 1) * DIM), frame)
    const background = new BackgroundEstimate()
    const scores = vectors.map((frame, i) => {
      const { positives, negatives, minSimilarity, off } = bundle.rules[0]!
      const similarity = at(positives[0]!, frame)
      const reached = similarity >= minSimilarity
      const others = [...negatives, ...bundle.neutral].map(row => at(row, frame))
      const logit = ruleLogit(similarity, others, bundle.logitScale)
      const score = reached ? 1 / (1 + Math.exp(background.offset - logit)) : 0
      const eventful = reached && score >= off
      background.observe({ logit: reached ? logit : undefined, elapsedMs: i === 0 ? 0 : 1000, eventful })
      return score
    })
    const progress: number[] = []
    const { findings } = await run(rule, { onProgress: each => progress.push(each.scanned) })
    expect(findings.frames).toBe(40_000)
    const fired = scores.filter(score => score >= 0.6).length
    expect(fired).toBeGreaterThan(1000)
    // float32 sums against float64: a frame exactly at the threshold may fall on either side.
    expect(Math.abs(findings.fired - fired)).toBeLessThanOrEqual(2)
    expect(findings.best[0]!.score).toBeCloseTo(Math.max(...scores), 4)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(40_000)
  })

  it('ends when nobody waits for it any more, and lets the store go', async () => {
    for (let i = 0; i < 25; i++) await source.append(frames(Array.from({ length: 4000 }, () => HIT)))
    const gone = new AbortController()
    const progress: number[] = []
    const onProgress = ({ scanned }: { scanned: number }) => {
      progress.push(scanned)
      gone.abort(new DOMException('gone', 'AbortError'))
    }
    await expect(run(KNIFE, { signal: gone.signal, onProgress })).rejects.toThrow('gone')
    // What was under way on the other threads is finished, nothing new is begun.
    expect(progress.length).toBeLessThanOrEqual(4)
    expect(progress.at(-1)).toBeLessThan(100_000)
    expect((await run()).findings.frames).toBe(100_000)
  })

  it('takes no more than two at once, and ends them when the hub stops', async () => {
    await source.append(frames(Array.from({ length: 4000 }, () => HIT)))
    const backtest = newBacktest()
    const { bundle } = await compiledFor([KNIFE])
    const signal = new AbortController().signal
    const job = { bundle, filter: {}, top: 1, signal, onProgress: () => {} }
    const running = [backtest.run(job), backtest.run(job)]
    const ended = Promise.allSettled(running)
    await expect(backtest.run(job)).rejects.toMatchObject({ code: 'API_BUSY' })
    await backtest.stop()
    for (const outcome of await ended) expect(outcome).toMatchObject({ reason: { code: 'NOT_READY' } })
  })

  it('finds nothing in an empty store', async () => {
    const { findings, scanned } = await run()
    expect(scanned).toBe(0)
    expect(findings).toMatchObject({ frames: 0, incidents: 0, first: null, days: [], best: [] })
  })
})

describe('Backtest of all that a rule may say', () => {
  const withRows = async (rule: Record<string, unknown>, rows: readonly Float32Array[]) => {
    const { bundle } = await compiledFor([rule])
    const old = new Float32Array(bundle.vectors.slice().buffer)
    const matrix = new Float32Array(old.length + rows.length * DIM)
    matrix.set(old)
    for (const [i, row] of rows.entries()) matrix.set(row, old.length + i * DIM)
    const first = old.length / DIM
    return { bundle: { ...bundle, vectors: new Uint8Array(matrix.buffer) }, first }
  }

  it('heeds examples and the head, as the definition has it', async () => {
    const random = seededRandom(11)
    const vectors = Array.from({ length: 300 }, () => randomUnit(DIM, random))
    await source.append(frames([...vectors, axis(5)]))
    const { bundle, first } = await withRows({ ...KNIFE, minSimilarity: 0.2 }, [axis(5), axis(6), axis(7)])
    const rule = {
      ...bundle.rules[0]!,
      positiveExamples: [first],
      negativeExamples: [first + 1],
      head: { row: first + 2, scale: 3, bias: -0.5 },
    }
    const { findings } = await run(KNIFE, { bundle: { ...bundle, rules: [rule] }, top: 200 })
    const matrix = new Float32Array(bundle.vectors.slice().buffer)
    const expected = [...vectors, axis(5)].map(vector =>
      judgeRule(rule, bundle, row => dot(matrix.subarray(row * DIM, (row + 1) * DIM), vector)),
    )
    expect(findings.fired).toBe(expected.filter(({ fired }) => fired).length)
    expect(findings.belowGate).toBe(expected.filter(({ score }) => score === 0).length)
    for (const { ord, score } of findings.best) expect(score).toBeCloseTo(expected[ord - 1]!.score, 4)
    // The example itself passes the gate that its words do not.
    expect(expected.at(-1)).toMatchObject({ similarity: 0, score: expect.any(Number) })
    expect(findings.best.some(({ ord }) => ord === 301)).toBe(true)
  })

  it('heeds the schedule on the time of the frames', async () => {
    const [monday, saturday] = [Date.UTC(2026, 0, 5, 10), Date.UTC(2026, 0, 3, 10)]
    await source.append(frames([HIT, HIT], saturday))
    await source.append(frames([HIT, HIT, MISS], monday))
    const schedule = { timeZone: 'UTC', windows: [{ days: ['mon', 'tue'], from: '09:00', to: '17:00' }] }
    const { findings } = await run({ ...KNIFE, schedule })
    expect(findings).toMatchObject({ frames: 5, fired: 2, incidents: 1, offDuty: 2 })
    expect(findings.topIncidents).toMatchObject([{ startedAt: monday, frames: 2 }])
    expect(findings.days).toMatchObject([
      { frames: 2, fired: 0, incidents: 0 },
      { frames: 3, fired: 2, incidents: 1 },
    ])
  })

  it('ends an incident when the rule goes off duty', async () => {
    const noon = Date.UTC(2026, 0, 5, 11, 59, 58)
    await source.append(frames([HIT, HIT, HIT, HIT], noon))
    const schedule = { timeZone: 'UTC', windows: [{ from: '00:00', to: '12:00' }] }
    const { findings } = await run({ ...KNIFE, schedule })
    expect(findings.topIncidents).toMatchObject([{ startedAt: noon, endedAt: noon + 1000, frames: 2 }])
  })

  it('leaves out devices that do not get the rule', async () => {
    await source.append(frames([HIT], 0, { site: 'north' }))
    await source.append(frames([HIT], 0, { site: 'south', node: 'a' }))
    await source.append(frames([HIT], 0, { site: 'south', node: 'b' }))
    const state = { rulesGroup: 'quay' } as NodeState
    await store.updateNode('south', 'a', { seenAt: 1, state })
    const framesOf = async (sites: string[], groups: string[]) =>
      (await run(KNIFE, { audience: { sites, groups } })).findings.frames
    expect(await framesOf(['*'], ['*'])).toBe(3)
    expect(await framesOf(['s*'], ['*'])).toBe(2)
    // The group of the other two is not known.
    expect(await framesOf(['*'], ['all'])).toBe(2)
    expect(await framesOf(['*'], ['quay'])).toBe(3)
  })

  it('judges by a calibration', async () => {
    const edge = mix({ 0: 1, 1: 0.96 })
    await source.append(frames([HIT, edge]))
    const { bundle } = await compiledFor([KNIFE])
    const calibrated = { ...bundle.rules[0]!, calibration: { method: 'platt', a: 1, b: -60 } as const }
    expect((await run()).findings.fired).toBe(1)
    expect((await run(KNIFE, { bundle: { ...bundle, rules: [calibrated] } })).findings.fired).toBe(0)
  })
})
