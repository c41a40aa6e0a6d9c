import { PacketGuard } from '@sightline/hub/broker/packet-guard.js'
import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'

const publish = (bytes: number) =>
  generate({ cmd: 'publish', topic: 't', payload: Buffer.alloc(bytes), qos: 0, retain: false, dup: false })

describe('packet guard', () => {
  it('lets packets within the limit pass, however the stream is cut', () => {
    const stream = Buffer.concat([
      generate({ cmd: 'pingreq' }),
      publish(100),
      publish(0),
      publish(997),
      publish(300),
    ])
    for (const size of [1, 2, 3, 7, 64, stream.length]) {
      const guard = new PacketGuard(1000)
      for (let at = 0; at < stream.length; at += size)
        expect(guard.accept(stream.subarray(at, at + size))).toBe(Math.min(size, stream.length - at))
    }
  })

  it('tells as soon as a length is announced, before the body comes', () => {
    // 200 MB announced, nothing sent of it.
    const header = publish(0)
    expect(header.length).toBeGreaterThan(0)
    const announced = Uint8Array.of(0x30, 0x80, 0x84, 0xaf, 0x5f)
    expect(new PacketGuard(1000).accept(announced)).toBeUndefined()
    expect(new PacketGuard(1000).accept(publish(998))).toBeUndefined()
  })

  it('refuses a length of more than four bytes (MQTT 3.1.1, 2.2.3)', () => {
    expect(new PacketGuard(2 ** 40).accept(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01))).toBeUndefined()
  })

  it('holds a PUBLISH back before its first byte, and asks again', () => {
    const ping = generate({ cmd: 'pingreq' })
    const stream = Buffer.concat([ping, publish(100), ping, publish(50), ping])
    let allowed = 1
    const guard = new PacketGuard(1000, () => allowed-- > 0)
    const before = ping.length + publish(100).length + ping.length
    expect(guard.accept(stream)).toBe(before)
    expect(guard.packet).toBeUndefined()
    allowed = 0
    expect(guard.accept(stream.subarray(before))).toBe(0)
    allowed = 1
    expect(guard.accept(stream.subarray(before))).toBe(stream.length - before)
  })
})
