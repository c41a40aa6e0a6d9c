import { nodeTopic, systemClock } from '@sightline/core'
import { afterEach, describe, expect, it } from 'vitest'
import { ADDRESS, batchOf } from '../ingest/messages.ts'
import { TestFleet } from '../support/fleet.ts'
import { nextEvent } from '../support/next-event.ts'

let fleet: TestFleet
afterEach(() => fleet.stop())

const refused = (pending: Promise<unknown>) => expect(pending).rejects.toMatchObject({ code: 5 })

describe('broker.access auto', () => {
  it('on loopback lets anybody in until the first device is enrolled, and then nobody without a credential', async () => {
    fleet = await TestFleet.start(systemClock)
    const demo = await fleet.connect(undefined, { clientId: 'anything' })
    await demo.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1]), { qos: 1 })
    const closed = nextEvent(demo, 'close')
    const credential = await fleet.enrol({ site: 'plant', node: 'gate' })
    await closed
    await refused(fleet.connect(undefined, { clientId: 'anything' }))
    await fleet.desk.revoke({ site: 'plant', node: 'gate' }, 'test')
    await refused(fleet.connect(undefined, { clientId: 'anything' }))
    await refused(fleet.connect(credential))
  })

  it('takes no credential that it does not know, in the demo either', async () => {
    fleet = await TestFleet.start(systemClock)
    await refused(fleet.connect(undefined, { clientId: 'a~b', username: 'a~b', password: 'x' }))
  })

  it.each([
    ['devices', { broker: { access: 'devices' } }],
    ['behind a proxy', { tls: { terminated: true } }],
    ['beyond loopback', { mqtt: { host: '0.0.0.0', port: 0 } }],
  ])('lets nobody in without a credential: %s', async (_what, document) => {
    fleet = await TestFleet.start(systemClock, document)
    await refused(fleet.connect(undefined, { clientId: 'anything' }))
    expect((await fleet.connect(await fleet.enrol(ADDRESS))).connected).toBe(true)
  })
})

describe('broker.access open', () => {
  const open = { broker: { access: 'open' } }

  it('lets any client say and read anything, credentials or not', async () => {
    fleet = await TestFleet.start(systemClock, open)
    await fleet.enrol(ADDRESS)
    const will = { topic: 'last/words', payload: Buffer.from('gone'), qos: 2 as const, retain: true }
    const talker = await fleet.connect(undefined, { clientId: 'x'.repeat(200), will })
    const named = await fleet.connect(undefined, {
      clientId: 'plant~dock',
      username: 'who',
      password: 'ever',
    })
    await talker.publishAsync('any/topic', 'kept', { qos: 2, retain: true })
    const heard: string[] = []
    named.on('message', (topic, payload, { retain }) => heard.push(`${topic} ${payload} ${retain}`))
    const grants = await named.subscribeAsync(['#', '$SYS/#'], { qos: 2 })
    expect(grants.map(({ qos }) => qos)).toEqual([2, 2])
    talker.stream.destroy()
    await expect.poll(() => heard).toContain('last/words gone false')
    expect(heard).toContain('any/topic kept true')
    await expect.poll(() => heard.some(line => line.startsWith('$SYS/'))).toBe(true)
  })

  it('takes in what is of the protocol all the same, and lets nobody forge $SYS', async () => {
    fleet = await TestFleet.start(systemClock, open)
    const client = await fleet.connect(undefined, { clientId: 'x' })
    await client.publishAsync(nodeTopic('emb', ADDRESS), batchOf([1, 2]), { qos: 1, retain: true })
    expect(fleet.store.counts().frames).toBe(2)
    client.publish('$SYS/x/new/clients', 'x', { qos: 1 })
    await nextEvent(client, 'close')
  })
})
