import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { expect, it } from 'vitest'
import { delivery, event, INCIDENT, SESSION, storeContract } from './stores.ts'

storeContract('incidents and reviews', held => {
  it('folds the life of an incident in whatever order its events come', async () => {
    const steps = [
      event(2, 'new', { score: 0.6, peakScore: 0.6, bestFrame: 1 }),
      event(5, 'update', { score: 0.9, peakScore: 0.9, frames: 3, bestFrame: 4 }),
      event(8, 'end', { score: 0.2, peakScore: 0.9, frames: 4, bestFrame: 4 }),
    ]
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0, 1, 2],
    ]
    for (const [i, order] of orders.entries()) {
      const node = `n${i}`
      const incident = `01JD00000000000000000000A${i}`
      for (const at of order) {
        await held.store.append(delivery([], { node, events: [{ ...steps[at]!, incident }] }))
      }
      expect(held.store.incident(incident)).toEqual({
        id: incident,
        site: 'plant',
        node,
        camera: 'yard',
        rule: 'fire',
        ruleName: 'Fire',
        rulesVersion: 1,
        severity: 'high',
        startedAt: 1000,
        updatedAt: 8000,
        endedAt: 8000,
        peakScore: 0.9,
        frames: 4,
        bestFrameId: `plant~${node}~${SESSION}~4`,
      })
    }
  })

  it('lists incidents newest first, by rule, camera, time and whether they go on', async () => {
    const open1 = event(1, 'new', { incident: '01JD000000000000000000000A', startedAt: 1000 })
    const done = event(2, 'end', { incident: '01JD000000000000000000000B', startedAt: 2000, rule: 'smoke' })
    const open2 = event(3, 'new', { incident: '01JD000000000000000000000C', startedAt: 3000, camera: 'gate' })
    await held.store.append(delivery([], { events: [open1, done, open2] }))
    const ids = (filter: Parameters<RecordStore['incidents']>[0], limit = 10) =>
      held.store.incidents(filter, limit).map(each => each.id.at(-1))
    expect(ids({})).toEqual(['C', 'B', 'A'])
    expect(ids({}, 1)).toEqual(['C'])
    expect(ids({ open: true })).toEqual(['C', 'A'])
    expect(ids({ open: false })).toEqual(['B'])
    expect(ids({ rule: 'smoke' })).toEqual(['B'])
    expect(ids({ camera: 'gate' })).toEqual(['C'])
    expect(ids({ from: 2000, to: 3000 })).toEqual(['B'])
  })

  it('keeps what people said of incidents, replaces it and takes it back', async () => {
    const positive = { frame: 'plant~dock~S~1', rule: 'fire', positive: true }
    const negative = { ...positive, positive: false }
    const other = { frame: 'plant~dock~S~1', rule: 'smoke', positive: true }
    const confirm = {
      incident: 'A',
      verdict: 'confirm',
      rule: null,
      note: null,
      at: 10,
      labels: [positive],
    } as const
    const relabel = {
      incident: 'B',
      verdict: 'relabel',
      rule: 'smoke',
      note: 'only smoke',
      at: 20,
      labels: [negative, other],
    } as const
    await held.store.putReview(confirm)
    await held.store.putReview(relabel)
    await held.reopen()
    expect(held.store.review('A')).toEqual(confirm)
    expect(held.store.review('B')).toEqual(relabel)
    expect(held.store.labels({}, 10)).toEqual([
      { ...negative, incident: 'B', at: 20 },
      { ...other, incident: 'B', at: 20 },
      { ...positive, incident: 'A', at: 10 },
    ])
    expect(held.store.labels({ rule: 'fire' }, 10).map(each => each.incident)).toEqual(['B', 'A'])
    expect(held.store.labels({ rule: 'smoke' }, 10)).toEqual([{ ...other, incident: 'B', at: 20 }])
    expect(held.store.labels({}, 1)).toHaveLength(1)

    await held.store.putReview({ ...relabel, verdict: 'dismiss', rule: null, at: 30, labels: [negative] })
    expect(held.store.labels({ rule: 'smoke' }, 10)).toEqual([])
    expect(held.store.labels({ rule: 'fire' }, 10).map(each => each.at)).toEqual([30, 10])
    expect(await held.store.removeReview('A')).toEqual(confirm)
    expect(await held.store.removeReview('A')).toBeUndefined()
    expect(held.store.review('A')).toBeUndefined()
    expect(held.store.labels({}, 10).map(each => each.incident)).toEqual(['B'])
  })

  it('lists incidents by whether they were reviewed', async () => {
    const incident = '01JD000000000000000000000A'
    await held.store.append(delivery([], { events: [event(1, 'new', { incident })] }))
    await held.store.append(delivery([], { events: [event(2, 'new')] }))
    await held.store.putReview({ incident, verdict: 'dismiss', rule: null, note: null, at: 1, labels: [] })
    expect(held.store.incidents({ reviewed: true }, 10).map(each => each.id)).toEqual([incident])
    expect(held.store.incidents({ reviewed: false }, 10).map(each => each.id)).toEqual([INCIDENT])
  })
})
