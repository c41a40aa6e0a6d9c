import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frameIdOf, TestHub } from './hub.ts'

const [COFFEE, CAT, MILD] = ['A', 'B', 'C'].map(letter => `01JD000000000000000000000${letter}`) as [
  string,
  string,
  string,
]

let hub: TestHub
beforeAll(async () => {
  hub = await TestHub.start()
  await hub.sendIncident({
    incident: COFFEE,
    rule: 'coffee-or-tea',
    camera: 'lobby',
    bestFrame: 2,
    severity: 'high',
  })
  await hub.sendIncident({
    incident: CAT,
    rule: 'cat-in-view',
    bestFrame: 4,
    severity: 'high',
    peakScore: 0.5,
  })
  await hub.sendIncident({ incident: MILD, severity: 'info' })
})
afterAll(() => hub?.stop())

const queue = async (query = '') => (await hub.call(`/api/v1/review${query}`)).body
const ids = (answer: { incidents: { id: string }[] }) => answer.incidents.map(({ id }) => id)
const review = (incident: string, body: unknown) => hub.post(`/api/v1/review/${incident}`, body)

describe('review', () => {
  it('queues what nobody has reviewed', async () => {
    const answer = await queue()
    expect(answer.waiting).toBe(3)
    expect(ids(answer)).toEqual([CAT, COFFEE, MILD])
    expect(answer.incidents[0]).toMatchObject({ reason: 'priority', review: null, rule: 'cat-in-view' })
    expect(answer.incidents[0].uncertainty).toBeGreaterThan(answer.incidents[1].uncertainty)
    expect(ids(await queue('?limit=1'))).toEqual([CAT])
    expect(ids(await queue('?rule=coffee-or-tea'))).toEqual([COFFEE])
    expect(ids(await queue('?camera=lobby'))).toEqual([COFFEE])
  })

  it('keeps a verdict as labels, shows it, and lets it be replaced and taken back', async () => {
    const confirmed = await review(COFFEE, { verdict: 'confirm', note: 'an espresso' })
    expect(confirmed.status).toBe(200)
    expect(confirmed.body).toMatchObject({
      id: COFFEE,
      review: { verdict: 'confirm', rule: null, note: 'an espresso' },
    })
    expect(ids(await queue())).not.toContain(COFFEE)
    const events = (await hub.call('/api/v1/events')).body.events
    expect(events.find((event: { id: string }) => event.id === COFFEE).review.verdict).toBe('confirm')

    await review(CAT, { verdict: 'relabel', rule: 'coffee-or-tea' })
    const labels = (await hub.call('/api/v1/labels')).body.labels
    expect(labels).toHaveLength(3)
    expect(labels.slice(0, 2)).toMatchObject([
      { frameId: frameIdOf(4), rule: 'cat-in-view', positive: false, incident: CAT },
      { frameId: frameIdOf(4), rule: 'coffee-or-tea', positive: true, incident: CAT },
    ])
    const records = async () => (await hub.call('/api/v1/review/records')).body.records
    // What it was relabelled as is no incident of that rule.
    expect(await records()).toEqual([
      { rule: 'cat-in-view', reviewed: 1, confirmed: 0, precision: 0, notes: [] },
      {
        ...{ rule: 'coffee-or-tea', reviewed: 1, confirmed: 1, precision: 1 },
        notes: [{ incident: COFFEE, verdict: 'confirm', note: 'an espresso', at: confirmed.body.review.at }],
      },
    ])
    await review(CAT, { verdict: 'dismiss' })
    expect((await hub.call('/api/v1/labels?rule=coffee-or-tea')).body.labels).toEqual([
      expect.objectContaining({ frameId: frameIdOf(2), positive: true }),
    ])

    const undone = await hub.call(`/api/v1/review/${CAT}`, { method: 'DELETE' })
    expect(undone.body).toMatchObject({ id: CAT, review: null })
    expect(ids(await queue())).toEqual([CAT, MILD])
    expect((await hub.call(`/api/v1/review/${CAT}`, { method: 'DELETE' })).body.error.code).toBe(
      'API_NOT_FOUND',
    )
  })

  it('measures a backtest by the labels', async () => {
    await review(COFFEE, { verdict: 'confirm' })
    const response = await fetch(`${hub.url}/api/v1/rules/coffee-or-tea/backtest`, { method: 'POST' })
    const result = JSON.parse((await response.text()).trimEnd().split('\n').at(-1)!)
    expect(result.labelled).toMatchObject({ frames: 1, truePositives: 1, precision: 1, recall: 1 })
  })

  it.each([
    ['an unknown incident', 'nope', { verdict: 'confirm' }, 404, 'API_NOT_FOUND', /nope/],
    ['an unknown verdict', CAT, { verdict: 'perhaps' }, 400, 'API_BAD_REQUEST', /verdict/],
    ['relabel without a rule', CAT, { verdict: 'relabel' }, 400, 'API_BAD_REQUEST', /needs/],
    [
      'relabel with its own rule',
      CAT,
      { verdict: 'relabel', rule: 'cat-in-view' },
      400,
      'API_BAD_REQUEST',
      /raised it/,
    ],
    [
      'relabel with no rule of the hub',
      CAT,
      { verdict: 'relabel', rule: 'ufo' },
      400,
      'API_BAD_REQUEST',
      /ufo/,
    ],
    [
      'a rule out of place',
      CAT,
      { verdict: 'dismiss', rule: 'cat-in-view' },
      400,
      'API_BAD_REQUEST',
      /only relabel/,
    ],
  ])('refuses %s', async (_what, incident, body, status, code, message) => {
    const answer = await review(incident, body)
    expect([answer.status, answer.body.error.code]).toEqual([status, code])
    expect(answer.body.error.message).toMatch(message)
  })
})
