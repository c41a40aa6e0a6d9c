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
  packetTimeoutSeconds: Type.Integer({
    minimum: 1,
    maximum: 3600,
    default: 30,
    description:
      'A packet that has begun is complete after so long, or its connection is closed. A batch of uplink.batchBytes has to get through in it: raise it for links below 40 KB/s.',
  }),
  maxMessagesPerSecond: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 200,
    description:
      'PUBLISH packets of one connection, as many at once after a second of rest. Beyond it the hub reads the connection more slowly; nothing is dropped.',
  }),
}
