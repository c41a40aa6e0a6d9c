import type { CompiledRule } from '@sightline/core'
import { type IncidentStep, Incidents, type RulesInForce } from '@sightline/core/moderation/incidents.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compiledRule } from '../../../../test/support/compiled-rule.ts'

const START = Date.UTC(2026, 0, 1)

/** A device whose only parts are a clock, a recorder and the incidents. */
class Stage {
  readonly steps: IncidentStep[] = []
  readonly scores = new Map<number, number>()
  rule: CompiledRule | undefined
  onDuty = true
  at = START
  #seq = 0
  #ids = 0
  #incidents = this.#fresh()

  constructor(change: Partial<CompiledRule> = {}) {
    this.rule = compiledRule(change)
  }

  #fresh(): Incidents {
    return new Incidents({ newId: () => `incident-${++this.#ids}` })
  }

  frame(score: number, afterMs = 1000, camera = 'gate'): IncidentStep[] {
    this.at += afterMs
    this.scores.set(++this.#seq, score)
    const { rule } = this
    const rules: RulesInForce = {
      version: 1,
      rule: id => (rule?.id === id ? rule : undefined),
      appliesTo: () => this.onDuty,
    }
    const judgements = score > 0 && rule !== undefined ? [{ rule, score }] : []
    return this.#note(this.#incidents.observe({ camera, at: this.at, seq: this.#seq, judgements }, rules))
  }

  /** The process ends and begins again with what was recorded. */
  restart(): void {
    this.#incidents = this.#fresh()
    this.#incidents.restore(this.open())
  }

  only(cameras: readonly string[]): IncidentStep[] {
    return this.#note(this.#incidents.endAllBut(new Set(cameras)))
  }

  /** Last step of each incident that has not ended. */
  open(): IncidentStep[] {
    const last = new Map(this.steps.map(step => [step.incident, step]))
    return [...last.values()].filter(({ phase }) => phase !== 'end')
  }

  #note(steps: readonly IncidentStep[]): IncidentStep[] {
    this.steps.push(...steps)
    return [...steps]
  }
}

const phases = (steps: readonly IncidentStep[]) => steps.map(({ phase }) => phase)

describe('frames within a window', () => {
  it('begin an incident though others lie between', () => {
    const stage = new Stage({ minFrames: 3, windowSeconds: 10 })
    for (const score of [0.8, 0.1, 0.9, 0]) expect(stage.frame(score)).toEqual([])
    const [begun] = stage.frame(0.75)
    expect(begun).toMatchObject({ phase: 'new', frames: 3, peakScore: 0.9, bestFrame: 3 })
    expect(begun!.at - begun!.startedAt).toBe(4000)
  })

  it('count no longer once it has passed', () => {
    const stage = new Stage({ minFrames: 2, windowSeconds: 10 })
    stage.frame(0.8)
    expect(stage.frame(0.8, 10_001)).toEqual([])
    expect(phases(stage.frame(0.8, 10_000))).toEqual(['new'])
  })

  it('leave an incident to its end as ever', () => {
    const stage = new Stage({ minFrames: 2, windowSeconds: 10, offDelaySeconds: 3 })
    stage.frame(0.8)
    stage.frame(0.8)
    expect(phases([0.1, 0.6, 0.1, 0.1, 0.1].flatMap(score => stage.frame(score)))).toEqual([])
    expect(phases(stage.frame(0.1))).toEqual(['end'])
    // What came before counts for that incident alone.
    expect(stage.frame(0.8)).toEqual([])
  })

  it('are forgotten when the clock is set back', () => {
    const stage = new Stage({ minFrames: 2, windowSeconds: 60 })
    stage.frame(0.8)
    expect(stage.frame(0.8, -30_000)).toEqual([])
    const [begun] = stage.frame(0.8)
    expect(begun).toMatchObject({ phase: 'new', frames: 2, startedAt: stage.at - 1000 })
  })
})

describe('a rule off duty', () => {
  it('ends what is open and begins nothing', () => {
    const stage = new Stage()
    const [begun] = stage.frame(0.9)
    stage.onDuty = false
    expect(stage.frame(0.95)).toMatchObject([{ phase: 'end', incident: begun!.incident, peakScore: 0.9 }])
    expect([...stage.frame(0.95), ...stage.frame(0.95)]).toEqual([])
    stage.onDuty = true
    expect(phases(stage.frame(0.9))).toEqual(['new'])
  })

  it('counts no frame towards an incident', () => {
    const stage = new Stage({ minFrames: 2 })
    stage.frame(0.9)
    stage.onDuty = false
    stage.frame(0.9)
    stage.onDuty = true
    expect(stage.frame(0.9)).toEqual([])
  })

  it('keeps the pause', () => {
    const stage = new Stage({ cooldownSeconds: 60 })
    stage.frame(0.9)
    stage.onDuty = false
    stage.frame(0.9)
    stage.onDuty = true
    expect(stage.frame(0.9, 58_999)).toEqual([])
    expect(phases(stage.frame(0.9, 1))).toEqual(['new'])
  })
})

it('keeps the pause after frames stayed away', () => {
  const stage = new Stage({ cooldownSeconds: 3600 })
  stage.frame(0.9)
  expect(phases(stage.frame(0.9, 20 * 60_000))).toEqual(['end'])
  expect(phases(stage.frame(0.9, 40 * 60_000))).toEqual(['new'])
})

type Move =
  | { readonly do: 'frame'; readonly score: number; readonly afterMs: number; readonly camera: string }
  | { readonly do: 'duty'; readonly on: boolean }
  | { readonly do: 'rule'; readonly there: boolean }
  | { readonly do: 'restart' }
  | { readonly do: 'only'; readonly camera: string }

const camera = fc.constantFrom('a', 'b')
const score = fc.oneof(
  fc.constantFrom(0, 0.3, 0.5, 0.6, 0.7, 0.9),
  fc.double({ min: 0, max: 1, noNaN: true }),
)
const forward = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3_600_000 }) },
)
const anyTime = fc.oneof({ weight: 8, arbitrary: forward }, fc.integer({ min: -1_800_000, max: 0 }))
const frames = (afterMs: fc.Arbitrary<number>) =>
  fc.record({ do: fc.constant('frame' as const), score, afterMs, camera })
const moves = fc.array(
  fc.oneof<fc.WeightedArbitrary<Move>[]>(
    { weight: 20, arbitrary: frames(anyTime) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('duty' as const), on: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rule' as const), there: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('only' as const), camera }) },
  ),
  { maxLength: 80 },
)
const settings = fc.record({
  on: fc.constantFrom(0.6, 0.7, 0.9),
  off: fc.constantFrom(0.3, 0.5, 0.7),
  minFrames: fc.integer({ min: 1, max: 4 }),
  windowSeconds: fc.constantFrom(0, 0, 3, 20),
  offDelaySeconds: fc.constantFrom(0, 2, 10),
  cooldownSeconds: fc.constantFrom(0, 5, 60),
})

function play(stage: Stage, moves: readonly Move[]): void {
  const kept = stage.rule
  for (const move of moves) {
    if (move.do === 'frame') stage.frame(move.score, move.afterMs, move.camera)
    else if (move.do === 'duty') stage.onDuty = move.on
    else if (move.do === 'rule') stage.rule = move.there ? kept : undefined
    else if (move.do === 'restart') stage.restart()
    else stage.only([move.camera])
  }
}

describe('whatever happens', () => {
  it('every incident is new, updated any number of times, and ended once; one at a time per camera and rule', () => {
    fc.assert(
      fc.property(settings, moves, (change, moves) => {
        const stage = new Stage(change)
        play(stage, moves)
        stage.only([])
        const open = new Map<string, IncidentStep>()
        const seen = new Set<string>()
        for (const step of stage.steps) {
          const before = open.get(step.camera)
          if (step.phase === 'new') {
            expect(before).toBeUndefined()
            expect(seen.has(step.incident)).toBe(false)
            seen.add(step.incident)
            expect(step.peakScore).toBeGreaterThanOrEqual(change.on)
            expect(step.frames).toBe(change.minFrames)
          } else {
            expect(step.incident).toBe(before?.incident)
            expect(step.peakScore).toBeGreaterThanOrEqual(before!.peakScore)
            expect(step.frames).toBeGreaterThanOrEqual(before!.frames)
          }
          expect(step.startedAt).toBeLessThanOrEqual(step.at)
          expect(stage.scores.get(step.bestFrame)).toBe(step.peakScore)
          if (step.phase === 'end') open.delete(step.camera)
          else open.set(step.camera, step)
        }
        expect(open.size).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('nothing is open while the rule is off duty', () => {
    fc.assert(
      fc.property(settings, fc.array(frames(anyTime), { maxLength: 40 }), (change, moves) => {
        const stage = new Stage(change)
        play(stage, moves)
        stage.onDuty = false
        for (const camera of ['a', 'b']) stage.frame(0.99, 1000, camera)
        expect(stage.open()).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('as long as time goes forward, no incident begins within the pause after another', () => {
    fc.assert(
      fc.property(settings, fc.array(frames(forward), { maxLength: 80 }), (change, moves) => {
        const stage = new Stage(change)
        play(stage, moves)
        const ends = new Map<string, number>()
        for (const { camera, phase, at } of stage.steps) {
          if (phase === 'end') ends.set(camera, at)
          if (phase === 'new' && ends.has(camera)) {
            expect(at - ends.get(camera)!).toBeGreaterThanOrEqual(change.cooldownSeconds * 1000)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it('a device that restarts tells of the same incidents as one that does not', () => {
    // Without a window, a pause and a delay, nothing but what was recorded matters.
    fc.assert(
      fc.property(fc.array(frames(fc.constant(1000)), { maxLength: 40 }), moves => {
        const [whole, broken] = [new Stage(), new Stage()]
        for (const move of moves) {
          play(whole, [move])
          play(broken, [move, { do: 'restart' }])
        }
        const crossings = (stage: Stage) =>
          stage.steps
            .filter(({ phase }) => phase !== 'update')
            .map(({ phase, at, camera }) => [phase, at, camera])
        expect(crossings(broken)).toEqual(crossings(whole))
      }),
      { numRuns: 200 },
    )
  })
})
