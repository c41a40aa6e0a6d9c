import { reviewQueue } from '@sightline/hub/moderation/review-queue.js'
import type { Incident } from '@sightline/hub/store/record-store.js'
import { describe, expect, it } from 'vitest'

function incident(number: number, change: Partial<Incident> = {}): Incident {
  return {
    id: `01JD${String(number).padStart(22, '0')}`,
    site: 's',
    node: 'n',
    camera: 'c',
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'medium',
    startedAt: number,
    updatedAt: number,
    endedAt: number,
    peakScore: 0.9,
    frames: 1,
    bestFrameId: 'x',
    ...change,
  }
}

const thresholdOf = (rule: string) => (rule === 'fire' ? 0.7 : undefined)

describe('reviewQueue', () => {
  it('puts the severe first, then the uncertain, then the new', () => {
    const incidents = [
      incident(1, { peakScore: 0.99 }),
      incident(2, { peakScore: 0.71 }),
      incident(3, { severity: 'critical' }),
      incident(4, { peakScore: 0.71 }),
      incident(5, { severity: 'info', peakScore: 0.7 }),
      incident(6, { rule: 'gone' }),
    ]
    const queue = reviewQueue(incidents, thresholdOf)
    expect(queue.map(each => each.incident.startedAt)).toEqual([3, 4, 2, 1, 6, 5])
    expect(queue.map(each => each.reason)).toEqual(Array(6).fill('priority'))
    expect(queue[5]!.uncertainty).toBe(1)
    expect(queue[4]!.uncertainty).toBeNull()
  })

  it('gives every tenth place to one drawn at random, and everybody one place', () => {
    const incidents = Array.from({ length: 2000 }, (_, i) =>
      incident(i, { severity: i < 1000 ? 'critical' : 'info' }),
    )
    const queue = reviewQueue(incidents, thresholdOf)
    expect(new Set(queue.map(each => each.incident.id)).size).toBe(2000)
    const audits = queue.flatMap((each, at) => (each.reason === 'audit' ? [at] : []))
    expect(audits.slice(0, 5)).toEqual([9, 19, 29, 39, 49])
    // Of both severities, though only the severe ones would have had their turn.
    const early = queue.slice(0, 500).filter(each => each.reason === 'audit')
    const mild = early.filter(each => each.incident.severity === 'info').length
    expect(mild).toBeGreaterThan(10)
    expect(mild).toBeLessThan(40)
    expect(audits.length).toBeGreaterThan(120)
    expect(audits.length).toBeLessThan(260)
    expect(reviewQueue(incidents.toReversed(), thresholdOf)).toEqual(queue)
  })

  it('has nothing to show for nothing', () => {
    expect(reviewQueue([], thresholdOf)).toEqual([])
  })
})
