import { AuthBackoff } from '@sightline/hub/broker/auth-backoff.js'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

function setup() {
  const clock = new FakeClock()
  const backoff = new AuthBackoff({ clock })
  const fail = (times: number, address = '192.0.2.1') => {
    for (let i = 0; i < times; i++) backoff.failed(address)
  }
  return { clock, backoff, fail }
}

describe('authentication back-off', () => {
  it('doubles from one second to a minute', async () => {
    const { clock, backoff, fail } = setup()
    fail(10)
    expect(backoff.blocked('192.0.2.1')).toBe(false)
    for (const seconds of [1, 2, 4, 8]) {
      fail(1)
      await clock.advance(seconds * 1000 - 1)
      expect(backoff.blocked('192.0.2.1')).toBe(true)
      await clock.advance(1)
      expect(backoff.blocked('192.0.2.1')).toBe(false)
    }
    fail(30)
    await clock.advance(59_999)
    expect(backoff.blocked('192.0.2.1')).toBe(true)
    await clock.advance(1)
    expect(backoff.blocked('192.0.2.1')).toBe(false)
    expect(backoff.blocked('192.0.2.2')).toBe(false)
  })

  it('never shuts out an address with one device that tries for ever', async () => {
    const { clock, backoff, fail } = setup()
    for (let i = 0; i < 1000; i++) {
      fail(1)
      await clock.advance(10_000)
      expect(backoff.blocked('192.0.2.1')).toBe(false)
    }
  })

  it('counts an IPv6 network as one, and keeps its table bounded', () => {
    const { backoff, fail } = setup()
    for (let i = 0; i < 11; i++) fail(1, `2001:db8:1:2::${i.toString(16)}`)
    expect(backoff.blocked('2001:db8:1:2:ffff::1')).toBe(true)
    expect(backoff.blocked('2001:db8:1:3::1')).toBe(false)
    for (let i = 0; i < 12_000; i++) fail(1, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    expect(backoff.size).toBe(10_000)
  })
})
