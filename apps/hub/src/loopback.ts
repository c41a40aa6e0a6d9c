import { isIPv4 } from 'node:net'

/** Whether an address to listen on, or one that connects, is this machine's own and nobody else's. */
export function isLoopback(host: string): boolean {
  const bare = host.startsWith('::ffff:') ? host.slice(7) : host
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'))
}
