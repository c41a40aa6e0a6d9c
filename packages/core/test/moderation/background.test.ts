import { BACKGROUND, BackgroundEstimate } from '@sightline/core/moderation/background.js'
import { logitOf } from '@sightline/core/moderation/rule-logit.js'
import { describe, expect, it } from 'vitest'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const QUIET = logitOf(BACKGROUND.quietScore)

interface Filming {
  readonly logit: (frame: number) => number | undefined
  readonly frames: number
  readonly everyMs?: number
  readonly eventful?: (frame: number) => boolean
}

function film(
  estimate: BackgroundEstimate,
  { logit, frames, everyMs = 10 * SECOND, eventful = () => false }: Filming,
) {
  for (let i = 0; i < frames; i++) {
    estimate.observe({ logit: logit(i), elapsedMs: everyMs, eventful: eventful(i) })
  }
  return estimate
}

const warm = (level: number) =>
  film(new BackgroundEstimate(), { logit: () => level, frames: BACKGROUND.warmUpFrames })

describe('BackgroundEstimate', () => {
  it('corrects nothing before it has seen enough spaced frames', () => {
    const estimate = film(new BackgroundEstimate(), { logit: () => 0, frames: BACKGROUND.warmUpFrames - 1 })
    expect(estimate.offset).toBe(0)
    film(estimate, { logit: () => 0, frames: 9, everyMs: SECOND })
    expect(estimate.offset).toBe(0)
    film(estimate, { logit: () => 0, frames: 1, everyMs: SECOND })
    expect(estimate.offset).toBeCloseTo(-QUIET, 12)
  })

  it('begins with the median: almost half of the warm-up may be the event', () => {
    const estimate = film(new BackgroundEstimate(), {
      logit: i => (i % 16 < 7 ? 8 : -1),
      frames: BACKGROUND.warmUpFrames,
    })
    expect(estimate.offset).toBeCloseTo(-1 - QUIET, 12)
  })

  it('leaves a quiet camera alone and never adds to a score', () => {
    for (const level of [QUIET - 20, QUIET - 1, QUIET]) expect(warm(level).offset).toBeCloseTo(0, 12)
    expect(BackgroundEstimate.quiet().offset).toBe(0)
  })

  it('takes off no more than the bound, whatever the camera shows', () => {
    expect(warm(40).offset).toBe(BACKGROUND.maxOffsetNats)
    const estimate = film(warm(40), { logit: () => 50, frames: 1000, everyMs: MINUTE })
    expect(estimate.offset).toBe(BACKGROUND.maxOffsetNats)
  })

  it('is moved little by events that nobody froze: 5 % of the frames, far away', () => {
    const estimate = film(warm(0), { logit: i => (i % 20 === 0 ? 30 : 0), frames: 5000 })
    // At rest 0.95 level = 0.05 huberNats.
    expect(estimate.offset + QUIET).toBeGreaterThan(0)
    expect(estimate.offset + QUIET).toBeLessThan(0.15)
  })

  it('follows a lasting change within hours', () => {
    const estimate = warm(QUIET + 2)
    film(estimate, { logit: () => QUIET + 1, frames: 60, everyMs: MINUTE })
    // One time constant: all but 1/e of the way.
    expect(estimate.offset).toBeCloseTo(1 + Math.exp(-1), 6)
    film(estimate, { logit: () => QUIET + 1, frames: 600, everyMs: MINUTE })
    expect(estimate.offset).toBeCloseTo(1, 3)
  })

  it('weighs frames by time, not by number', () => {
    const [slow, fast] = [warm(0), warm(0)]
    film(slow, { logit: () => -1, frames: 60, everyMs: MINUTE })
    film(fast, { logit: () => -1, frames: 3600, everyMs: SECOND })
    expect(fast.offset).toBeCloseTo(slow.offset, 6)
  })

  it('takes a frame after an outage for a minute at most, and survives a clock set back', () => {
    const [outage, minute] = [warm(0), warm(0)]
    film(outage, { logit: () => 2, frames: 1, everyMs: 100 * HOUR })
    film(minute, { logit: () => 2, frames: 1, everyMs: MINUTE })
    expect(outage.offset).toBe(minute.offset)
    film(outage, { logit: () => 9, frames: 10, everyMs: -HOUR })
    expect(outage.offset).toBe(minute.offset)
  })

  it('stands still while the event may be in view', () => {
    const before = warm(-1)
    const { offset } = before
    film(before, { logit: () => 9, frames: 59, eventful: () => true })
    expect(before.offset).toBe(offset)
  })

  it('takes what never ends for background, after the allowance', () => {
    const estimate = warm(QUIET)
    film(estimate, { logit: () => 3, frames: 6 * 60, eventful: () => true })
    expect(estimate.offset).toBeGreaterThan(0.9)
    const fresh = film(new BackgroundEstimate(), { logit: () => 3, frames: 200, eventful: () => true })
    expect(fresh.offset).toBe(BACKGROUND.maxOffsetNats)
  })

  it('gives the allowance back slowly: what is there half of the time is no event', () => {
    const estimate = warm(QUIET)
    film(estimate, { logit: i => (i % 2 === 0 ? 3 : QUIET), frames: 8 * 360, eventful: i => i % 2 === 0 })
    expect(estimate.offset).toBeGreaterThan(0.5)
    const rare = warm(QUIET)
    film(rare, { logit: i => (i % 25 === 0 ? 3 : QUIET), frames: 8 * 360, eventful: i => i % 25 === 0 })
    expect(rare.offset).toBeCloseTo(0, 9)
  })

  it('counts frames that do not reach the gate as far below', () => {
    const estimate = film(warm(0), { logit: () => undefined, frames: 300, everyMs: MINUTE })
    expect(estimate.offset).toBe(0)
    expect(estimate.isQuiet).toBe(true)
    expect(film(new BackgroundEstimate(), { logit: () => undefined, frames: 32 }).isQuiet).toBe(true)
  })

  it('is the same after it was saved, in the warm-up and after', () => {
    for (const frames of [1, 20, 31, 32, 500]) {
      const logit = (i: number) => Math.sin(i)
      const whole = film(new BackgroundEstimate(), { logit, frames: frames + 50 })
      const part = film(new BackgroundEstimate(), { logit, frames })
      const restored = new BackgroundEstimate(JSON.parse(JSON.stringify(part.save())))
      film(restored, { logit: i => logit(i + frames), frames: 50 })
      expect(restored.save()).toEqual(whole.save())
    }
  })
})
