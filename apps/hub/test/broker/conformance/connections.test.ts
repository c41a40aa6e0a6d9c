import { generate, type Packet } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bench, hello, publish, SETTINGS, subscribe } from './raw-client.ts'

const bench = new Bench()
beforeEach(() => bench.start())
afterEach(() => bench.stop())

/** A packet whose string has other bytes than any text would have. */
function withBytes(packet: Packet, marker: string, bytes: readonly number[]): Buffer {
  const whole = generate(packet)
  const at = whole.indexOf(marker)
  Buffer.from(bytes).copy(whole, at)
  return whole
}

const ILL_FORMED: readonly (readonly [string, readonly number[]])[] = [
  ['a byte that begins nothing', [0xff, 0x61, 0x61]],
  ['an overlong form', [0xc0, 0xaf, 0x61]],
  ['a surrogate (MQTT-1.5.3-1)', [0xed, 0xa0, 0x80]],
  ['U+0000 (MQTT-1.5.3-2)', [0x00, 0x61, 0x61]],
]

describe('connections', () => {
  it('refuses an empty client id without clean session, with code 2, and closes (MQTT-3.1.3-8)', async () => {
    const client = await bench.raw()
    // mqtt-packet would not write it.
    client.send(
      Buffer.from([0x10, 0x0c, 0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x04, 0x00, 0x00, 0x3c, 0x00, 0x00]),
    )
    expect(await client.next('connack')).toMatchObject({ returnCode: 2, sessionPresent: false })
    await client.end()
  })

  it('takes an empty client id with a clean session (MQTT-3.1.3-6)', async () => {
    await bench.session('')
  })

  it('closes at a second CONNECT (MQTT-3.1.0-2)', async () => {
    const client = await bench.session('twice')
    await client.send(hello('twice')).end()
  })

  it('closes when the first packet is not CONNECT (MQTT-3.1.0-1)', async () => {
    await (await bench.raw()).send(publish('a', 'x')).end()
  })

  it('answers another protocol level with code 1 (MQTT-3.1.2-2)', async () => {
    const client = await bench.raw()
    client.send(generate(hello('five', { protocolVersion: 5 }), { protocolVersion: 5 }))
    expect(await client.next('connack')).toMatchObject({ returnCode: 1 })
    await client.end()
  })

  it('says whether it has a session (MQTT-3.2.2-1, -2, -3)', async () => {
    const first = await bench.raw()
    first.send(hello('stay', { clean: false }))
    expect(await first.next('connack')).toMatchObject({ sessionPresent: false })
    await subscribe(first, ['a', 1])
    await first.send({ cmd: 'disconnect' }).end()
    const second = await bench.raw()
    second.send(hello('stay', { clean: false }))
    expect(await second.next('connack')).toMatchObject({ sessionPresent: true })
    await second.send({ cmd: 'disconnect' }).end()
    const third = await bench.raw()
    third.send(hello('stay'))
    expect(await third.next('connack')).toMatchObject({ sessionPresent: false })
  })

  it('hands a client id over to who comes later (MQTT-3.1.4-2)', async () => {
    const first = await bench.session('same')
    await bench.session('same')
    await first.end()
  })

  it('closes after one and a half keep-alive times of silence (MQTT-3.1.2-24)', async () => {
    const client = await bench.session('silent', { keepalive: 1 })
    const since = performance.now()
    await client.end()
    expect(performance.now() - since).toBeGreaterThan(1400)
  })

  it('closes at reserved flags (MQTT-2.2.2-2)', async () => {
    for (const bytes of [
      [0x80, 0x02, 0x00, 0x09],
      [0xc1, 0x00],
      [0x60, 0x02, 0x00, 0x01],
      [0xf0, 0x00],
    ])
      await (await bench.session('flags')).send(Buffer.from(bytes)).end()
  })

  it('closes at a packet above the limit, and at QoS 3 (MQTT-3.3.1-4)', async () => {
    await (await bench.session('large')).send(publish('a', 'x'.repeat(SETTINGS.maxPacketBytes))).end()
    await (await bench.session('three')).send(Buffer.from([0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01])).end()
  })

  for (const [what, bytes] of ILL_FORMED)
    it(`closes at ${what} in a client id, a topic or a filter`, async () => {
      const caller = await bench.raw()
      await caller.send(withBytes(hello('zzz'), 'zzz', bytes)).end()
      expect(caller.packets).toEqual([])
      const sender = await bench.session('sender')
      await sender.send(withBytes(publish('zzz', 'x', { qos: 1, messageId: 1 }), 'zzz', bytes)).end()
      expect(sender.packets).toEqual([])
      const listener = await bench.session('listener')
      const asked = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'zzz', qos: 0 }] }
      await listener.send(withBytes(asked as unknown as Packet, 'zzz', bytes)).end()
      expect(listener.packets).toEqual([])
    })
})
