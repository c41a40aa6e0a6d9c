import { isIPv6 } from 'node:net'

/** What an address is counted under: itself, or of IPv6 the network, since who has one address there has them all (RFC 6177). */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return ''
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}
