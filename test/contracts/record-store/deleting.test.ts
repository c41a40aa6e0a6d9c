import type { IncidentEvent } from '@sightline/core'
import { beforeEach, expect, it } from 'vitest'
import { delivery, event, frame, SESSION, storeContract } from './stores.ts'

storeContract('deleting', held => {
  const thumbnail = new Uint8Array(100)
  beforeEach(async () => {
    await held.store.append(
      delivery(
        Array.from({ length: 20 }, (_, i) => frame(i + 1, { camera: i % 2 ? 'yard' : 'gate', thumbnail })),
      ),
    )
    await held.store.append(delivery([frame(1)], { node: 'other' }))
  })

  it('takes frames away with vectors, thumbnails and names, a step at a time, and for good', async () => {
    const filter = { node: 'dock', camera: 'gate', from: 0, to: 16_000 }
    const expected = { ords: [1, 3, 5, 7, 9], thumbnails: 5, bytes: 5 * (32 + 100), next: 9 }
    expect(held.store.measureFrames({ filter, after: 0, rows: 5 })).toMatchObject(expected)
    expect(held.store.counts().frames).toBe(21)
    const first = await held.store.deleteFrames({ filter, after: 0, rows: 5 })
    expect(first).toEqual({ ...expected, receivedFrom: 5_000_000 })
    const second = await held.store.deleteFrames({ filter, after: first.next!, rows: 50 })
    expect(second.ords).toEqual([11, 13, 15])
    expect(second.next).toBeUndefined()
    await held.reopen()
    expect(held.store.counts()).toMatchObject({ frames: 13, thumbnails: 12 })
    expect(held.store.recent({ camera: 'gate' }, 50).map(each => each.ord)).toEqual([19, 17])
    expect([...held.store.scan(0)].map(each => each.ord)).toEqual([
      2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20, 21,
    ])
    const id = `plant~dock~${SESSION}~1`
    expect([
      held.store.frame(id),
      held.store.ordOf(id),
      held.store.frameByOrd(1),
      held.store.thumbnail(id),
    ]).toEqual(Array(4).fill(undefined))
    const again = await held.store.append(
      delivery([frame(1, { camera: 'gate' }), frame(21, { camera: 'gate' })]),
    )
    expect(again.frames.map(each => [each.ord, each.seq])).toEqual([[22, 21]])
  })

  it('knows the numbers that are left, of all and of one camera, and the newest ever given', async () => {
    const camera = { site: 'plant', node: 'dock', camera: 'gate' }
    expect(held.store.ords({ limit: 3 })).toEqual([1, 2, 3])
    expect(held.store.ords({ camera, after: 3, upTo: 9, limit: 99 })).toEqual([5, 7, 9])
    expect(held.store.ords({ camera, newestFirst: true, upTo: 10, limit: 3 })).toEqual([9, 7, 5])
    expect(held.store.ords({ newestFirst: true, limit: 2 })).toEqual([21, 20])
    await held.store.deleteFrames({ filter: { node: 'other' }, after: 0, rows: 99 })
    expect(held.store.ords({ newestFirst: true, limit: 1 })).toEqual([20])
    expect(held.store.lastOrd()).toBe(21)
  })

  it('blurs and takes away thumbnails without their frames', async () => {
    const listed = held.store.pictures(0, 2)
    expect(listed).toMatchObject([
      { ord: 1, id: `plant~dock~${SESSION}~1`, site: 'plant', blurred: false },
      { ord: 2 },
    ])
    const blurred = Uint8Array.of(1, 2, 3)
    await held.store.deleteFrames({ filter: {}, after: 2, upTo: 3, rows: 1 })
    await held.store.putPictures([
      { ord: 1, thumbnail: blurred },
      { ord: 2, thumbnail: undefined },
      { ord: 3, thumbnail: blurred },
      { ord: 21, thumbnail: blurred },
    ])
    await held.reopen()
    expect(held.store.pictures(0, 2).map(({ ord, blurred }) => [ord, blurred])).toEqual([
      [1, true],
      [4, false],
    ])
    expect(new Uint8Array(held.store.thumbnail(listed[0]!.id)!)).toEqual(blurred)
    expect(held.store.frameByOrd(2)).toMatchObject({ hasThumbnail: false })
    // Neither a frame that is gone nor one without a thumbnail gets one.
    expect(held.store.counts()).toMatchObject({ frames: 20, thumbnails: 18 })
  })

  it('forgets a camera without frames, and leaves frames above the limit', async () => {
    await held.store.deleteFrames({ filter: { camera: 'gate' }, after: 0, upTo: 9, rows: 99 })
    expect(held.store.cameras()).toContainEqual({ site: 'plant', node: 'dock', camera: 'gate' })
    expect(held.store.ords({ limit: 99 })).toContain(11)
    await held.store.deleteFrames({ filter: { camera: 'gate' }, after: 0, rows: 99 })
    expect(
      held.store
        .cameras()
        .map(each => `${each.node}/${each.camera}`)
        .sort(),
    ).toEqual(['dock/yard', 'other/yard'])
  })

  it('takes incidents that are over within the time, with their reviews, and nodes', async () => {
    const of = (id: string, seq: number, phase: IncidentEvent['phase'], at: number) =>
      event(seq, phase, { incident: `01JD000000000000000000000${id}`, startedAt: at, at: at + 500 })
    await held.store.append(
      delivery([], {
        events: [of('A', 31, 'end', 1000), of('B', 32, 'new', 1800), of('C', 33, 'end', 5000)],
      }),
    )
    const review = {
      incident: '01JD000000000000000000000A',
      verdict: 'confirm',
      rule: null,
      note: null,
    } as const
    await held.store.putReview({ ...review, at: 1, labels: [{ frame: 'x', rule: 'fire', positive: true }] })
    expect(await held.store.deleteIncidents({ site: 'plant', to: 2000 }, 9)).toEqual({
      incidents: 1,
      reviews: 1,
      more: false,
    })
    expect(held.store.incidents({}, 9).map(each => each.id.at(-1))).toEqual(['C', 'B'])
    expect(held.store.labels({}, 9)).toEqual([])
    expect(await held.store.deleteIncidents({}, 1)).toMatchObject({ incidents: 1, more: true })
    expect(await held.store.deleteNode('plant', 'dock')).toBe(true)
    expect(await held.store.deleteNode('plant', 'dock')).toBe(false)
    expect(held.store.nodes().map(each => each.node)).toEqual(['other'])
  })
})
