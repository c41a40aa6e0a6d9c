import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { expect, it } from 'vitest'
import { delivery, frame, storeContract } from './stores.ts'

storeContract('lists of frames', held => {
  it('lists the newest frames by name and time', async () => {
    await held.store.append(delivery([frame(1), frame(2, { camera: 'gate' }), frame(3)]))
    await held.store.append(delivery([frame(1, { capturedAt: 9_000 })], { node: 'other' }))
    const seqs = (filter: Parameters<RecordStore['recent']>[0], limit = 10) =>
      held.store.recent(filter, limit).map(each => `${each.node}${each.seq}`)
    expect(seqs({})).toEqual(['other1', 'dock3', 'dock2', 'dock1'])
    expect(seqs({ camera: 'yard' })).toEqual(['other1', 'dock3', 'dock1'])
    expect(seqs({ node: 'dock' }, 2)).toEqual(['dock3', 'dock2'])
    expect(seqs({ node: 'dock', camera: 'gate' })).toEqual(['dock2'])
    expect(seqs({ from: 2000, to: 9000 })).toEqual(['dock3', 'dock2'])
    expect(seqs({ site: 'nowhere' })).toEqual([])
  })

  it('lists by sites, by cameras in full, and by what the rules said', async () => {
    const verdict = (rule: string, fired: boolean) => ({ rule, fired, score: 0.5, similarity: 0.2 })
    await held.store.append(
      delivery([
        frame(1, { verdicts: [verdict('fire', true), verdict('smoke', false)] }),
        frame(2, { verdicts: [verdict('fire', false)], camera: 'gate' }),
        frame(3),
      ]),
    )
    await held.store.append(delivery([frame(4)], { site: 'office' }))
    const seqs = (filter: Parameters<RecordStore['recent']>[0]) =>
      held.store.recent(filter, 10).map(each => each.seq)
    expect(seqs({ sites: ['office', 'nowhere'] })).toEqual([4])
    expect(seqs({ cameras: ['plant/dock/gate', 'office/dock/yard'] })).toEqual([4, 2])
    expect(seqs({ cameras: [] })).toEqual([])
    expect(seqs({ rule: 'fire' })).toEqual([2, 1])
    expect(seqs({ rule: 'fire', fired: true })).toEqual([1])
    expect(seqs({ rule: 'smoke', fired: false })).toEqual([1])
    expect(seqs({ fired: true })).toEqual([1])
    expect(seqs({ fired: false, site: 'plant' })).toEqual([3, 2])
  })
})
