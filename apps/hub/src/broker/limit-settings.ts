import { Type } from 'typebox'

/** What one address and one connection may ask of the embedded broker. */
export const brokerLimits = {
  maxConnectionsPerAddress: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 100,
    description:
      'More from one address (IPv6: one /64 network) are refused. Raise it where many devices share an address: behind NAT, or behind a proxy that ends TLS.',
  }),
}
