import { dot } from '@sightline/core'
import type { BacktestJob } from '@sightline/hub/moderation/backtest.js'
import { describe, expect, it } from 'vitest'
import { BacktestBench, framesOf, HIT, KNIFE, MISS } from './backtest-bench.ts'
import { axis, mix } from './rules.ts'

const DAY = 86_400_000
const bench = BacktestBench.inEachTest()

describe('Backtest', () => {
  it('finds the incidents that a device would have raised', async () => {
    await bench.source.append(framesOf([MISS, HIT, HIT, MISS, MISS, HIT, MISS]))
    const { findings, scanned } = await bench.run()
    expect(scanned).toBe(7)
    expect(findings).toMatchObject({ frames: 7, fired: 3, incidents: 2, first: 0, last: 6000 })
    expect(findings.topIncidents).toMatchObject([
      { source: 'site~node~camera', startedAt: 1000, endedAt: 3000, frames: 2 },
      { startedAt: 5000, endedAt: 6000, frames: 1 },
    ])
    expect(findings.topIncidents[0]!.peakScore).toBeGreaterThan(0.99)
  })

  it('heeds minFrames, the delay and the pause, on the time of the frames', async () => {
    await bench.source.append(framesOf([HIT, MISS, HIT, HIT, MISS, HIT, HIT, MISS]))
    expect((await bench.run({ ...KNIFE, minFrames: 2 })).findings.incidents).toBe(2)
    expect((await bench.run({ ...KNIFE, minFrames: 3 })).findings.incidents).toBe(0)
    expect((await bench.run({ ...KNIFE, offDelaySeconds: 5 })).findings.incidents).toBe(1)
    expect((await bench.run({ ...KNIFE, cooldownSeconds: 60 })).findings.incidents).toBe(1)
  })

  it('takes frames in the order of their capture, camera by camera', async () => {
    const [late, early] = [framesOf([HIT, HIT], 10_000), framesOf([HIT, MISS, HIT])]
    await bench.source.append(late)
    await bench.source.append(early)
    await bench.source.append(framesOf([HIT, HIT], 0, { camera: 'other' }))
    const { findings } = await bench.run()
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
    await bench.source.append(framesOf([HIT, HIT], 0, { camera: 'yard' }))
    await bench.source.append(framesOf([HIT], 5000, { camera: 'lobby' }))
    await bench.source.append(framesOf([HIT], 0, { camera: 'yard', fingerprint: 'other:000000000000' }))
    expect(await bench.run()).toMatchObject({ scanned: 4, otherModels: 1, findings: { frames: 3 } })
    const framesThat = async (filter: BacktestJob['filter'], rule: object = {}) =>
      (await bench.run({ ...KNIFE, ...rule }, { filter })).findings.frames
    expect(await framesThat({ camera: 'yard' })).toBe(2)
    expect(await framesThat({ from: 1000 })).toBe(2)
    expect(await framesThat({ from: 1000, to: 5000 })).toBe(1)
    expect(await framesThat({ node: 'nowhere' })).toBe(0)
    expect(await framesThat({}, { cameras: ['l*'] })).toBe(1)
  })

  it('counts by day and by score', async () => {
    await bench.source.append(framesOf([HIT, HIT, MISS], DAY - 1000))
    const { findings } = await bench.run()
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
    await bench.source.append(framesOf([HIT, HIT, edge, MISS]))
    await bench.source.append(framesOf([HIT, edge], 120_000))
    const { findings } = await bench.run()
    expect(findings.best.map(({ ord }) => ord)).toEqual([5, 2])
    expect(findings.borderline.map(({ ord }) => ord)).toEqual([6, 3])
    expect(findings.borderline[0]!.score).toBeGreaterThan(0.5)
    expect(findings.borderline[0]!.similarity).toBeCloseTo(dot(edge, axis(0)), 5)
    expect((await bench.run(KNIFE, { top: 1 })).findings.best).toHaveLength(1)
  })

  it('measures itself by what was reviewed', async () => {
    await bench.source.append(framesOf([HIT, HIT, MISS, MISS]))
    expect((await bench.run()).findings.labelled).toBeNull()
    bench.labels = [
      { ord: 1, positive: true },
      { ord: 2, positive: false },
      { ord: 3, positive: true },
      { ord: 999, positive: true },
    ]
    expect((await bench.run()).findings.labelled).toMatchObject({
      frames: 3,
      truePositives: 1,
      falsePositives: 1,
      falseNegatives: 1,
      trueNegatives: 0,
      precision: 0.5,
      recall: 0.5,
    })
  })

  it('finds nothing in an empty store', async () => {
    const { findings, scanned } = await bench.run()
    expect(scanned).toBe(0)
    expect(findings).toMatchObject({ frames: 0, incidents: 0, first: null, days: [], best: [] })
  })
})
