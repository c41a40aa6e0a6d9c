import { dot, type NodeState } from '@sightline/core'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { describe, expect, it } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { BacktestBench, framesOf, HIT, KNIFE, MISS } from './backtest-bench.ts'
import { axis, compiledFor, DIM, mix } from './rules.ts'

const bench = BacktestBench.inEachTest()

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
    await bench.source.append(framesOf([...vectors, axis(5)]))
    const { bundle, first } = await withRows({ ...KNIFE, minSimilarity: 0.2 }, [axis(5), axis(6), axis(7)])
    const rule = {
      ...bundle.rules[0]!,
      positiveExamples: [first],
      negativeExamples: [first + 1],
      head: { row: first + 2, scale: 3, bias: -0.5 },
    }
    const { findings } = await bench.run(KNIFE, { bundle: { ...bundle, rules: [rule] }, top: 200 })
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
    await bench.source.append(framesOf([HIT, HIT], saturday))
    await bench.source.append(framesOf([HIT, HIT, MISS], monday))
    const schedule = { timeZone: 'UTC', windows: [{ days: ['mon', 'tue'], from: '09:00', to: '17:00' }] }
    const { findings } = await bench.run({ ...KNIFE, schedule })
    expect(findings).toMatchObject({ frames: 5, fired: 2, incidents: 1, offDuty: 2 })
    expect(findings.topIncidents).toMatchObject([{ startedAt: monday, frames: 2 }])
    expect(findings.days).toMatchObject([
      { frames: 2, fired: 0, incidents: 0 },
      { frames: 3, fired: 2, incidents: 1 },
    ])
  })

  it('ends an incident when the rule goes off duty', async () => {
    const noon = Date.UTC(2026, 0, 5, 11, 59, 58)
    await bench.source.append(framesOf([HIT, HIT, HIT, HIT], noon))
    const schedule = { timeZone: 'UTC', windows: [{ from: '00:00', to: '12:00' }] }
    const { findings } = await bench.run({ ...KNIFE, schedule })
    expect(findings.topIncidents).toMatchObject([{ startedAt: noon, endedAt: noon + 1000, frames: 2 }])
  })

  it('leaves out devices that do not get the rule', async () => {
    await bench.source.append(framesOf([HIT], 0, { site: 'north' }))
    await bench.source.append(framesOf([HIT], 0, { site: 'south', node: 'a' }))
    await bench.source.append(framesOf([HIT], 0, { site: 'south', node: 'b' }))
    const state = { rulesGroup: 'quay' } as NodeState
    await bench.store.updateNode('south', 'a', { seenAt: 1, state })
    const framesThat = async (sites: string[], groups: string[]) =>
      (await bench.run(KNIFE, { audience: { sites, groups } })).findings.frames
    expect(await framesThat(['*'], ['*'])).toBe(3)
    expect(await framesThat(['s*'], ['*'])).toBe(2)
    // The group of the other two is not known.
    expect(await framesThat(['*'], ['all'])).toBe(2)
    expect(await framesThat(['*'], ['quay'])).toBe(3)
  })

  it('judges by a calibration', async () => {
    const edge = mix({ 0: 1, 1: 0.96 })
    await bench.source.append(framesOf([HIT, edge]))
    const { bundle } = await compiledFor([KNIFE])
    const calibrated = { ...bundle.rules[0]!, calibration: { method: 'platt', a: 1, b: -60 } as const }
    expect((await bench.run()).findings.fired).toBe(1)
    expect((await bench.run(KNIFE, { bundle: { ...bundle, rules: [calibrated] } })).findings.fired).toBe(0)
  })
})
