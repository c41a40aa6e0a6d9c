import type { Service } from '@sightline/core'
import type { OutgoingMessage } from '../ingest/ack-sender.ts'

export interface BrokerStats {
  /** Connections cut off for a packet above the limit. */
  oversize: number
  /** Connections refused at the limit. */
  refused: number
  /** Connections refused because their address had as many as it may have. */
  addressRefused: number
  /** Connections cut off because a packet took too long. */
  packetTimeouts: number
  /** Times that a connection had to wait for its message rate. */
  throttled: number
  /** TLS handshakes that failed. */
  tlsFailures: number
}

export function noBrokerStats(): BrokerStats {
  return { oversize: 0, refused: 0, addressRefused: 0, packetTimeouts: 0, throttled: 0, tlsFailures: 0 }
}

/**
 * The hub's way to its devices: a broker of its own, or a connection to somebody else's. What it hears on uplink topics
 * it hands to `ingest`, and confirms to whom it has it from (PUBACK) only when that has resolved.
 */
export interface BrokerLink extends Service {
  readonly stats: Readonly<BrokerStats>
  /** The port that is listened on; 0 where somebody else's broker listens. */
  readonly port: number
  /** Connected clients as far as this hub can tell: of somebody else's broker, its own connections. */
  readonly clients: number
  /**
   * Resolves when the broker has taken the message, or, for a retained one, when it is sure to be published as soon as
   * the broker can be reached.
   * @throws NOT_READY, BROKER_UNREACHABLE
   */
  publish(message: OutgoingMessage): Promise<void>
  /** Closes the connections of those who would not be let in any more, where the hub is who lets in. */
  expel(): number
}
