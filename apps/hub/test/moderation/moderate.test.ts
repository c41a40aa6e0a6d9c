import { moderate } from '@sightline/hub/moderation/moderate.js'
import { OPENAI_CATEGORIES, resultView } from '@sightline/hub/moderation/moderation-view.js'
import { describe, expect, it } from 'vitest'
import { judge } from '../../../../test/support/judge.ts'
import { axis, bundleOf, compiledFor, mix } from './rules.ts'

const rules = await compiledFor([
  {
    id: 'knife',
    name: 'Knife',
    category: 'violence/weapons',
    severity: 'high',
    positives: ['axis:0', 'axis:1'],
    negatives: ['axis:2'],
    cameras: ['yard*'],
  },
  { id: 'cup', name: 'Cup', category: 'objects', severity: 'info', positives: ['axis:3'] },
  { id: 'off', name: 'Switched off', positives: ['axis:4'], enabled: false },
])

describe('moderate', () => {
  it('blocks what fires, says by what, and lets the rest pass', () => {
    const { decision, labels } = moderate(rules, mix({ 1: 1, 2: 0.2 }))
    expect(decision).toBe('block')
    expect(labels.map(label => [label.rule.id, label.decision])).toEqual([
      ['knife', 'block'],
      ['cup', 'allow'],
    ])
    expect(labels[0]).toMatchObject({ bestPositive: 'axis:1', bestNegative: 'axis:2' })
  })

  it('names a neutral prompt when that competes most', () => {
    const [label] = moderate(rules, mix({ 0: 1, 15: 0.3 })).labels
    expect(label).toMatchObject({ bestPositive: 'axis:0', bestNegative: 'a photo' })
  })

  it('asks for review of a low severity and of a score between off and on', () => {
    expect(moderate(rules, axis(3)).decision).toBe('review')
    const band = mix({ 0: 1, 2: 0.97 })
    const [knife] = moderate(rules, band).labels
    expect(knife!.verdict.score).toBeGreaterThan(0.5)
    expect(knife!.verdict.score).toBeLessThan(0.7)
    expect(moderate(rules, band).decision).toBe('review')
  })

  it('allows what no rule looks for, and everything when there is no rule', async () => {
    expect(moderate(rules, axis(7)).decision).toBe('allow')
    expect(moderate(await compiledFor([]), axis(0))).toEqual({ decision: 'allow', labels: [] })
  })

  it('keeps to the rules of a camera', () => {
    const ids = (camera?: string) => moderate(rules, axis(0), { camera }).labels.map(label => label.rule.id)
    expect(ids('yard-2')).toEqual(['knife', 'cup'])
    expect(ids('lobby')).toEqual(['cup'])
  })

  it('scores as the definition does', () => {
    for (const frame of [mix({ 0: 1, 2: 0.7 }), mix({ 3: 0.4, 15: 0.6 }), axis(9)]) {
      const expected = new Map(judge(bundleOf(rules), frame).map(each => [each.rule, each]))
      for (const { rule, verdict } of moderate(rules, frame).labels) {
        const { score, similarity, fires } = expected.get(rule.id)!
        expect(verdict.similarity).toBeCloseTo(similarity, 6)
        if (similarity >= rule.minSimilarity) expect(verdict.score).toBeCloseTo(score, 6)
        expect(verdict.fired).toBe(fires)
      }
    }
  })
})

describe('the answer', () => {
  it('counts a category for its parents too, and always has the categories that clients expect', () => {
    const view = resultView(rules, moderate(rules, axis(0)), 20)
    expect(view).toMatchObject({ flagged: true, decision: 'block' })
    expect(view.categories).toMatchObject({ violence: true, 'violence/weapons': true, objects: false })
    expect(view.category_scores.violence).toBe(view.category_scores['violence/weapons'])
    for (const category of OPENAI_CATEGORIES) expect(view.categories).toHaveProperty([category])
    expect(view.category_applied_input_types).toMatchObject({ violence: ['image'], harassment: [] })
    expect(view.labels[0]).toMatchObject({
      name: 'violence/weapons',
      parent: 'violence',
      rule_id: 'knife',
      rule_version: 7,
      threshold: 0.7,
      best_positive: 'axis:0',
    })
    expect(view.labels[1]).toMatchObject({ name: 'objects', parent: null })
  })

  it('leaves labels out on request, but none that matters', () => {
    const view = resultView(rules, moderate(rules, axis(0)), 0)
    expect(view.labels.map(label => label.rule_id)).toEqual(['knife'])
  })
})

describe('moderate on an occasion', () => {
  it('keeps to the rules of a site, and to those on duty', async () => {
    const day = { timeZone: 'UTC', windows: [{ from: '08:00', to: '18:00' }] }
    const rules = await compiledFor([
      { id: 'here', name: 'Here', positives: ['axis:0'], sites: ['north*'] },
      { id: 'by-day', name: 'By day', positives: ['axis:0'], schedule: day },
    ])
    const ids = (occasion: Parameters<typeof moderate>[2]) =>
      moderate(rules, axis(0), occasion).labels.map(({ rule }) => rule.id)
    expect(ids({})).toEqual(['here', 'by-day'])
    expect(ids({ site: 'north-1' })).toEqual(['here', 'by-day'])
    expect(ids({ site: 'south' })).toEqual(['by-day'])
    expect(ids({ at: Date.UTC(2026, 0, 5, 12) })).toEqual(['here', 'by-day'])
    expect(ids({ at: Date.UTC(2026, 0, 5, 20) })).toEqual(['here'])
  })

  it('asks for review from reviewAt on, where a rule says so', async () => {
    const edge = mix({ 0: 1, 1: 1 })
    const decisionWith = async (change: object) => {
      const rule = { id: 'r', name: 'R', positives: ['axis:0'], negatives: ['axis:1'], ...change }
      return moderate(await compiledFor([rule]), edge).decision
    }
    expect(await decisionWith({ on: 0.7, off: 0.4 })).toBe('review')
    expect(await decisionWith({ on: 0.7, off: 0.4, reviewAt: 0.6 })).toBe('allow')
    expect(await decisionWith({ on: 0.7, off: 0.6, reviewAt: 0.4 })).toBe('review')
    expect(await decisionWith({ on: 0.45, off: 0.4, reviewAt: 0.4 })).toBe('block')
  })
})
