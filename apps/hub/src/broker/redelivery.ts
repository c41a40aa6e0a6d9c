import { pipeline, type Readable, Transform } from 'node:stream'
import type { Aedes, Client } from 'aedes'

/** Which its type declaration leaves out. */
interface Persistent {
  persistence: { outgoingStream(client: Client): Readable }
}

interface Queued {
  cmd: string
  messageId?: number
  dup?: boolean
}

/**
 * aedes 1.2 sends to a session that comes back what it has not confirmed, but without DUP (MQTT-3.3.1-1). What has a
 * packet identifier has been sent before; what only waited for its client has none.
 */
export function markRedelivery(aedes: Aedes): void {
  const { persistence } = aedes as unknown as Persistent
  const outgoing = persistence.outgoingStream.bind(persistence)
  persistence.outgoingStream = client => {
    const marked = new Transform({
      objectMode: true,
      transform: (packet: Queued, _encoding, done) => {
        if (packet.cmd === 'publish' && packet.messageId) packet.dup = true
        done(null, packet)
      },
    })
    return pipeline(outgoing(client), marked, () => {})
  }
}
