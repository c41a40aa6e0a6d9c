import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bench, publish, type RawClient, subscribe, texts } from './raw-client.ts'

const bench = new Bench()
beforeEach(() => bench.start())
afterEach(() => bench.stop())

describe('delivery', () => {
  it('sends QoS 1 again to a session that comes back, with DUP, until it is confirmed (MQTT-4.4.0-1, MQTT-3.3.1-1)', async () => {
    const first = await bench.session('stay', { clean: false })
    await subscribe(first, ['a', 1])
    await send('a', 'x', 1)
    const before = await first.next('publish')
    expect(before).toMatchObject({ qos: 1, dup: false })
    await cutOff(first)
    const second = await bench.resume('stay')
    const again = await second.next('publish')
    expect(again).toMatchObject({ messageId: before.messageId, qos: 1, dup: true })
    expect(again.payload).toEqual(Buffer.from('x'))
    second.send({ cmd: 'puback', messageId: Number(again.messageId) })
    await second.quiet()
    await cutOff(second)
    expect(await (await bench.resume('stay')).quiet()).toEqual([])
  })

  it('sends QoS 2 again with DUP while there is no PUBREC (MQTT-4.3.3-1, MQTT-4.4.0-1)', async () => {
    const first = await bench.session('stay', { clean: false })
    await subscribe(first, ['a', 2])
    await send('a', 'x', 2)
    const before = await first.next('publish')
    expect(before).toMatchObject({ qos: 2, dup: false })
    await cutOff(first)
    const again = await (await bench.resume('stay')).next('publish')
    expect(again).toMatchObject({ messageId: before.messageId, qos: 2, dup: true })
    expect(again.payload).toEqual(Buffer.from('x'))
  })

  it('sends PUBREL again after a PUBREC, and never the message (MQTT-4.3.3-1, MQTT-4.4.0-1)', async () => {
    const first = await bench.session('stay', { clean: false })
    await subscribe(first, ['a', 2])
    await send('a', 'x', 2)
    const { messageId } = await first.next('publish')
    first.send({ cmd: 'pubrec', messageId: Number(messageId) })
    expect(await first.next('pubrel')).toMatchObject({ messageId })
    await cutOff(first)
    const second = await bench.resume('stay')
    expect(await second.next('pubrel')).toMatchObject({ messageId })
    second.send({ cmd: 'pubcomp', messageId: Number(messageId) })
    expect(await second.quiet()).toEqual([])
    await cutOff(second)
    expect(await (await bench.resume('stay')).quiet()).toEqual([])
  })

  it('keeps for a session what comes while its client is away (MQTT-3.1.2-5)', async () => {
    const first = await bench.session('away', { clean: false })
    await subscribe(first, ['a', 1])
    await first.send({ cmd: 'disconnect' }).end()
    await send('a', 'x', 1)
    const second = await bench.resume('away')
    expect(await second.next('publish')).toMatchObject({ qos: 1, payload: Buffer.from('x') })
  })

  it('delivers QoS 2 once, however often it is sent (MQTT-4.3.3-2)', async () => {
    const listener = await bench.session('listener')
    await subscribe(listener, ['a', 0])
    const sender = await bench.session('sender')
    for (const dup of [false, true, true]) {
      sender.send(publish('a', 'x', { qos: 2, messageId: 5, dup }))
      expect(await sender.next('pubrec')).toMatchObject({ messageId: 5 })
    }
    for (let i = 0; i < 2; i++) {
      sender.send({ cmd: 'pubrel', messageId: 5 })
      expect(await sender.next('pubcomp')).toMatchObject({ messageId: 5 })
    }
    expect(texts(await listener.quiet())).toEqual(['x'])
  })

  it('publishes the will of who is cut off, not of who says goodbye (MQTT-3.1.2-8, -10)', async () => {
    const listener = await bench.session('listener')
    await subscribe(listener, ['will', 0])
    const will = (payload: string) => ({
      will: { topic: 'will', payload: Buffer.from(payload), qos: 0, retain: false },
    })
    await (await bench.session('polite', will('polite'))).send({ cmd: 'disconnect' }).end()
    const dead = await bench.session('dead', will('dead'))
    dead.socket.destroy()
    expect(await listener.next('publish')).toMatchObject({ payload: Buffer.from('dead') })
    expect(await listener.quiet()).toEqual([])
  })
})

/** Publishes, up to the last confirmation. */
async function send(topic: string, text: string, qos: 1 | 2): Promise<void> {
  const sender = await bench.session('sender')
  sender.send(publish(topic, text, { qos, messageId: 1 }))
  if (qos === 1) await sender.next('puback')
  else {
    await sender.next('pubrec')
    sender.send({ cmd: 'pubrel', messageId: 1 })
    await sender.next('pubcomp')
  }
}

async function cutOff(client: RawClient): Promise<void> {
  client.socket.destroy()
  await client.end()
}
