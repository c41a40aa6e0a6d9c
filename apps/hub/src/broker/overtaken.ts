import type { Aedes, Client } from 'aedes'

/** Which its type declaration leaves out. */
interface Inner {
  readonly id: string
  readonly clients: Record<string, Client & { duplicates: Record<string, number> }>
  readonly mq: { emit(packet: { brokerCounter: number }, done?: (error?: Error) => void): unknown }
}

/**
 * aedes 1.2 numbers messages when they are published, and a subscriber takes one whose number is not above the last for
 * a duplicate (its way of delivering once where subscriptions overlap). But a message takes one step more when it is
 * retained and one more above QoS 0, so that a later one can get past it: the former was then dropped without a word.
 * The numbers only have to differ within one message, so all that was noted is forgotten when one comes late.
 */
export function deliverOvertaken(aedes: Aedes): void {
  const { id, clients, mq } = aedes as unknown as Inner
  const emit = mq.emit.bind(mq)
  let newest = 0
  mq.emit = (packet, done) => {
    if (packet.brokerCounter > newest) newest = packet.brokerCounter
    else for (const client of Object.values(clients)) delete client.duplicates[id]
    return emit(packet, done)
  }
}
