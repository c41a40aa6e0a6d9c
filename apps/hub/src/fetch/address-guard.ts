import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { Network } from './settings.ts'

/** IPv4 that is not the public internet: IANA's special-purpose registry (RFC 6890), multicast and what is reserved. */
const CLOSED_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Only this much of IPv6 is given out as global unicast (RFC 4291, 2.4)… */
const OPEN_IPV6 = ['2000::', 3] as const
/** …less what leads elsewhere: IETF protocols with Teredo, documentation, 6to4, and documentation again. */
const CLOSED_IPV6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const MAPPED = ['::ffff:0:0', 96] as const

/** Which addresses the hub may connect to on somebody's word: public ones, and what the settings allow besides. */
export class AddressGuard {
  readonly #closed = new BlockList()
  readonly #open = new BlockList()
  readonly #mapped = new BlockList()
  readonly #allowed = new BlockList()

  constructor({ allow }: { allow: readonly Network[] }) {
    for (const [net, prefix] of CLOSED_IPV4) this.#closed.addSubnet(net, prefix, 'ipv4')
    for (const [net, prefix] of CLOSED_IPV6) this.#closed.addSubnet(net, prefix, 'ipv6')
    this.#open.addSubnet(...OPEN_IPV6, 'ipv6')
    this.#mapped.addSubnet(...MAPPED, 'ipv6')
    for (const { address, prefix, family } of allow) this.#allowed.addSubnet(address, prefix, family)
  }

  /** @param address as the resolver or the URL has it, without brackets. Whatever is no address is refused. */
  permits(address: string): boolean {
    if (isIPv4(address)) return this.#allowed.check(address, 'ipv4') || !this.#closed.check(address, 'ipv4')
    if (!isIPv6(address)) return false
    if (this.#allowed.check(address, 'ipv6')) return true
    // IPv4 in disguise (::ffff:10.0.0.1) is none of the global unicast addresses, so it is refused whatever it hides.
    if (this.#mapped.check(address, 'ipv6')) return false
    return this.#open.check(address, 'ipv6') && !this.#closed.check(address, 'ipv6')
  }
}
