import { AddressGuard } from '@sightline/hub/fetch/address-guard.js'
import { parseNetwork } from '@sightline/hub/fetch/settings.js'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'

const guard = new AddressGuard({ allow: [] })

describe('only the public internet is reached', () => {
  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '93.184.215.14',
    '172.32.0.1',
    '100.128.0.1',
    '192.169.0.1',
    '223.255.255.255',
  ])('%s', address => expect(guard.permits(address)).toBe(true))
  test.each(['2606:4700::6810:84e5', '2a00:1450:4001::200e', '2001:4860:4860::8888'])('%s', address =>
    expect(guard.permits(address)).toBe(true),
  )
  test.each([
    ['this network', '0.0.0.0'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.178.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT', '100.127.255.255'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.0.9'],
    ['link-local, with the metadata of clouds', '169.254.169.254'],
    ['protocol assignments', '192.0.0.8'],
    ['documentation', '203.0.113.9'],
    ['benchmarks', '198.19.0.1'],
    ['multicast', '239.1.1.1'],
    ['reserved', '250.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped, in hexadecimal', '::ffff:7f00:1'],
    ['mapped private', '::ffff:10.0.0.1'],
    ['IPv4-compatible', '::10.0.0.1'],
    ['NAT64', '64:ff9b::a00:1'],
    ['local NAT64', '64:ff9b:1::1'],
    ['6to4 of a private address', '2002:a00:1::1'],
    ['Teredo', '2001:0:53aa:64c::1'],
    ['unique local', 'fd12:3456::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['discard', '100::1'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['a short form', '127.1'],
    ['a number', '2130706433'],
  ])('not %s: %s', (_, address) => expect(guard.permits(address)).toBe(false))
})

it('refuses IPv4 in IPv6, however it is written', () => {
  const hex = (high: number, low: number) => ((high << 8) | low).toString(16)
  const byte = fc.nat(255)
  fc.assert(
    fc.property(fc.tuple(byte, byte, byte, byte), ([a, b, c, d]) => {
      for (const address of [`::ffff:${a}.${b}.${c}.${d}`, `::ffff:${hex(a, b)}:${hex(c, d)}`])
        expect(guard.permits(address)).toBe(false)
    }),
  )
})

it('reaches what is allowed besides, and no more', () => {
  const allow = ['10.1.2.0/24', 'fd00:1::/32'].map(text => parseNetwork(text)!)
  const open = new AddressGuard({ allow })
  expect(['10.1.2.7', 'fd00:1::7', '1.1.1.1'].map(address => open.permits(address))).toEqual([
    true,
    true,
    true,
  ])
  expect(['10.1.3.7', 'fd00:2::7', '127.0.0.1'].map(address => open.permits(address))).toEqual([
    false,
    false,
    false,
  ])
})

it.each(['10.0.0.0', '10.0.0.0/33', '::/129', 'example.org/8', '/8', '10.0.0.0/'])('%s is no network', text =>
  expect(parseNetwork(text)).toBeUndefined(),
)
