import { expect, it } from 'vitest'
import { delivery, frame, storeContract } from './stores.ts'

storeContract('devices, rules and quarantine', held => {
  it('remembers devices: data, messages and state apart', async () => {
    await held.store.updateNode('plant', 'dock', { seenAt: 10 })
    expect(held.store.nodes()).toEqual([
      {
        site: 'plant',
        node: 'dock',
        firstSeenAt: 10,
        lastSeenAt: 10,
        lastDataAt: null,
        state: null,
        stats: null,
      },
    ])
    await held.store.append(delivery([frame(1)], { receivedAt: 20 }))
    await held.store.updateNode('plant', 'dock', { seenAt: 15 })
    await held.reopen()
    expect(held.store.nodes()).toMatchObject([{ firstSeenAt: 10, lastSeenAt: 20, lastDataAt: 20 }])
  })

  it('keeps the rules', async () => {
    expect(held.store.rules()).toBeUndefined()
    await held.store.putRules({ version: 3, updatedAt: 7, rules: [] })
    await held.reopen()
    expect(held.store.rules()).toEqual({ version: 3, updatedAt: 7, rules: [] })
  })

  it('keeps the newest 1000 quarantined payloads', async () => {
    const entry = (bytes: number) => ({ at: 1, topic: 't', reason: 'r', head: Uint8Array.of(1), bytes })
    await Promise.all(Array.from({ length: 1005 }, (_, i) => held.store.quarantine(entry(i))))
    const kept = held.store.quarantined()
    expect(kept).toHaveLength(1000)
    expect([kept[0]!.bytes, kept.at(-1)!.bytes]).toEqual([1004, 5])
    expect(await held.store.deleteQuarantined(({ bytes }) => bytes >= 10)).toBe(995)
    expect(held.store.quarantined().map(({ bytes }) => bytes)).toEqual([9, 8, 7, 6, 5])
  })
})
