import type { CompiledRule } from '@sightline/core'
import { type IncidentStep, Incidents } from '@sightline/edge-agent/moderation/incidents.js'
import { RuleIndex } from '@sightline/edge-agent/moderation/rule-index.js'
import { ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { Scorer } from '@sightline/edge-agent/moderation/scorer.js'
import { ulid } from 'ulid'
import { describe, expect, it } from 'vitest'
import { AXES, bundleOf, compiledRule } from '../support/bundles.ts'
import { FakeClock } from '../support/fake-clock.ts'

async function scorerOf(rules: readonly CompiledRule[], version = 1): Promise<Scorer> {
  const vectors = ruleVectors(bundleOf({ vectors: AXES, rules, version }))
  return new Scorer({ vectors, index: await RuleIndex.build(vectors) })
}

/** A camera on a fake clock: each call is a frame with that score. */
async function stage(change: Partial<CompiledRule> = {}, incidents = new Incidents({ newId: ulid })) {
  const rule = compiledRule(change)
  const clock = new FakeClock()
  let scorer: Scorer | undefined = await scorerOf([rule])
  let seq = 0
  return {
    clock,
    incidents,
    setScorer: (next: Scorer | undefined) => {
      scorer = next
    },
    async frame(score: number, afterMs = 1000, camera = 'gate'): Promise<IncidentStep[]> {
      await clock.advance(afterMs)
      const judgements = score > 0 ? [{ rule, score, similarity: score }] : []
      return incidents.observe({ camera, at: clock.now(), seq: ++seq, judgements }, scorer)
    },
  }
}

const phases = (steps: readonly IncidentStep[]) => steps.map(({ phase }) => phase)

describe('Incidents', () => {
  it('makes one incident of one crossing', async () => {
    const { frame } = await stage()
    const steps = []
    for (const score of [0, 0.2, 0.8, 0.95, 0.6, 0.8, 0.1, 0, 0.3]) steps.push(...(await frame(score)))
    expect(phases(steps)).toEqual(['new', 'update', 'end'])
    const [first] = steps
    const last = steps.at(-1)!
    expect(first).toMatchObject({
      phase: 'new',
      rule: 'fire',
      ruleName: 'Fire',
      camera: 'gate',
      severity: 'high',
    })
    expect(first).toMatchObject({ rulesVersion: 1, score: 0.8, peakScore: 0.8, frames: 1, bestFrame: 3 })
    // Frames that hold: the last, below `off`, is not one of them.
    expect(last).toMatchObject({ phase: 'end', peakScore: 0.95, frames: 4, bestFrame: 4, score: 0.1 })
    expect(last.incident).toBe(first!.incident)
    expect(last.at - last.startedAt).toBe(4000)
  })

  it('does not flicker between on and off', async () => {
    const { frame } = await stage()
    const steps = []
    for (const score of [0.72, 0.55, 0.72, 0.51, 0.69, 0.72]) steps.push(...(await frame(score)))
    expect(phases(steps)).toEqual(['new'])
  })

  it('waits for as many frames in a row as the rule says', async () => {
    const { frame } = await stage({ minFrames: 3 })
    const steps = []
    for (const score of [0.8, 0.9, 0.1, 0.8, 0.95]) steps.push(...(await frame(score)))
    expect(steps).toEqual([])
    const [begun] = await frame(0.75)
    // Told at the third frame, begun at the first, with the best of the three.
    expect(begun).toMatchObject({ phase: 'new', frames: 3, peakScore: 0.95, bestFrame: 5 })
    expect(begun!.at - begun!.startedAt).toBe(2000)
  })

  it('ends only after offDelaySeconds below off', async () => {
    const { frame } = await stage({ offDelaySeconds: 5 })
    await frame(0.9)
    expect(phases([...(await frame(0)), ...(await frame(0, 4000)), ...(await frame(0.9, 500))])).toEqual([])
    expect(phases(await frame(0))).toEqual([])
    expect(phases(await frame(0, 4999))).not.toContain('end')
    expect(phases(await frame(0, 1))).toEqual(['end'])
  })

  it('keeps quiet for cooldownSeconds, then tells of what still goes on', async () => {
    const { frame } = await stage({ cooldownSeconds: 30 })
    expect(phases([...(await frame(0.9)), ...(await frame(0))])).toEqual(['new', 'end'])
    expect(phases([...(await frame(0.9)), ...(await frame(0)), ...(await frame(0.9))])).toEqual([])
    expect(phases(await frame(0.9, 26_999))).toEqual([])
    expect(phases(await frame(0.9, 1))).toEqual(['new'])
  })

  it('updates every ten seconds, and at once when the peak grows notably', async () => {
    const { frame } = await stage()
    await frame(0.7)
    const seen: string[][] = []
    for (let second = 1; second <= 21; second++) seen.push(phases(await frame(0.7)))
    expect(seen.flat()).toEqual(['update', 'update'])
    expect(seen[9]).toEqual(['update'])
    expect(phases(await frame(0.75))).toEqual([])
    expect(await frame(0.85)).toMatchObject([{ phase: 'update', peakScore: 0.85 }])
  })

  it('keeps cameras and rules apart', async () => {
    const { frame } = await stage()
    expect(phases([...(await frame(0.9, 0, 'a')), ...(await frame(0.9, 0, 'b'))])).toEqual(['new', 'new'])
    const [ended] = await frame(0, 0, 'a')
    expect(ended).toMatchObject({ phase: 'end', camera: 'a' })
    expect(phases(await frame(0.9, 0, 'b'))).toEqual([])
  })

  it('ends an incident whose rule is gone, or gone from this camera', async () => {
    for (const rules of [[], [compiledRule({ cameras: ['other'] })]]) {
      const scene = await stage()
      await scene.frame(0.9)
      scene.setScorer(await scorerOf(rules, 2))
      expect(await scene.frame(0)).toMatchObject([{ phase: 'end', rulesVersion: 1 }])
      expect(await scene.frame(0)).toEqual([])
    }
  })

  it('goes on after a restart, when the frames do', async () => {
    const before = await stage()
    const [begun] = await before.frame(0.9)
    const after = await stage({}, new Incidents({ newId: ulid }))
    after.incidents.restore([begun!])
    expect(phases(await after.frame(0.9, 5000))).toEqual([])
    expect(await after.frame(0)).toMatchObject([{ phase: 'end', incident: begun!.incident, frames: 2 }])
  })

  it('ends where it was last seen when no frame came for long', async () => {
    const { frame } = await stage()
    const [begun] = await frame(0.9)
    const steps = await frame(0.9, 16 * 60_000)
    expect(phases(steps)).toEqual(['end', 'new'])
    expect(steps[0]).toMatchObject({ incident: begun!.incident, at: begun!.at })
    expect(steps[1]!.incident).not.toBe(begun!.incident)
  })

  it('ends what cameras left behind that are no longer there', async () => {
    const { frame, incidents } = await stage()
    await frame(0.9, 0, 'a')
    await frame(0.9, 0, 'b')
    expect(incidents.endAllBut(new Set(['b']))).toMatchObject([{ phase: 'end', camera: 'a' }])
    expect(incidents.endAllBut(new Set(['b']))).toEqual([])
  })

  it('survives a clock that is set back', async () => {
    const { frame } = await stage({ offDelaySeconds: 2, cooldownSeconds: 10 })
    await frame(0.9)
    await frame(0)
    expect(phases(await frame(0, -60_000))).toEqual([])
    expect(phases(await frame(0, 2000))).toEqual(['end'])
    expect(phases(await frame(0.9, -600_000))).toEqual([])
    expect(phases(await frame(0.9, 10_000))).toEqual(['new'])
  })
})
