import { demoGate } from '@sightline/hub/broker/gatekeeper.js'
import type { Packet } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bench, publish, subscribe, texts } from './raw-client.ts'

const bench = new Bench()
beforeEach(() => bench.start())
afterEach(() => bench.stop())

describe('subscriptions', () => {
  it('answers a refused one with 0x80 (MQTT-3.8.4-5)', async () => {
    await bench.stop()
    await bench.start(demoGate())
    expect(await subscribe(await bench.session('a'), ['foreign/topic', 1], ['sightline/v1/#', 1])).toEqual([
      128, 1,
    ])
  })

  it('closes at a wildcard in the topic of a PUBLISH (MQTT-3.3.2-2)', async () => {
    for (const topic of ['a/+', 'a/#']) await (await bench.session('wild')).send(publish(topic, 'x')).end()
  })

  it('matches + to one level and # to all, none of them to $-topics at the front (MQTT-4.7.1, 4.7.2-1)', async () => {
    const one = await bench.session('one')
    await subscribe(one, ['a/+', 0])
    const all = await bench.session('all')
    await subscribe(all, ['#', 0])
    await subscribe(await bench.session('sys'), ['$SYS/#', 0])
    const sender = await bench.session('sender')
    for (const topic of ['a', 'a/b', 'a/b/c', 'a/']) sender.send(publish(topic, topic))
    await sender.quiet()
    expect(texts(await one.quiet())).toEqual(['a/b', 'a/'])
    const heard = await all.quiet()
    expect(texts(heard)).toEqual(['a', 'a/b', 'a/b/c', 'a/'])
    expect(heard.some(packet => packet.cmd === 'publish' && packet.topic.startsWith('$'))).toBe(false)
  })

  it('delivers once where subscriptions overlap (3.3.5)', async () => {
    const client = await bench.session('overlap')
    await subscribe(client, ['a/#', 1], ['a/b', 1], ['+/b', 1])
    const sender = await bench.session('sender')
    sender.send(publish('a/b', 'x', { qos: 1, messageId: 1 }))
    await sender.next('puback')
    const heard = await client.quiet()
    expect(heard).toHaveLength(1)
    expect(heard[0]).toMatchObject({ cmd: 'publish', qos: 1 })
  })

  it('ends with UNSUBSCRIBE (MQTT-3.10.4-1, -4)', async () => {
    const client = await bench.session('leaver')
    await subscribe(client, ['a', 0])
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['a'] } as unknown as Packet)
    expect(await client.next('unsuback')).toMatchObject({ messageId: 3 })
    const sender = await bench.session('sender')
    await sender.send(publish('a', 'x')).quiet()
    expect(await client.quiet()).toEqual([])
  })
})

describe('retained messages', () => {
  it('come with the flag at subscription, without it to who listens already, and go when emptied (MQTT-3.3.1-5 to -11)', async () => {
    const sender = await bench.session('sender')
    const early = await bench.session('early')
    await subscribe(early, ['r', 0])
    for (const text of ['one', 'two']) sender.send(publish('r', text, { retain: true }))
    await sender.quiet()
    const heard = await early.quiet()
    expect(texts(heard)).toEqual(['one', 'two'])
    expect(heard.every(packet => packet.cmd === 'publish' && !packet.retain)).toBe(true)
    const late = await bench.session('late')
    await subscribe(late, ['r', 0])
    const [kept, ...rest] = await late.quiet()
    expect([kept, rest]).toMatchObject([{ cmd: 'publish', retain: true, payload: Buffer.from('two') }, []])
    await sender.send(publish('r', '', { retain: true })).quiet()
    const last = await bench.session('last')
    await subscribe(last, ['r', 0])
    expect(await last.quiet()).toEqual([])
  })
})
