import { type Address, type Backoff, type Clock, createLog, type FailPoint, nodeTopic } from '@sightline/core'
import type { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import { Uplink, type UplinkSettings } from '@sightline/edge-agent/uplink/uplink.js'
import type { VectorSpace } from './simulated-records.ts'

export interface DeviceUplinkOptions {
  readonly address: Address
  readonly space: VectorSpace
  readonly outbox: Outbox
  readonly url: string
  readonly keepaliveSeconds: number
  readonly connectTimeoutSeconds: number
  readonly settings: UplinkSettings
  readonly backoff: Backoff
  readonly clock: Clock
  readonly failPoint?: FailPoint
}

/** The product's own uplink for a device that has an outbox, and neither camera nor model. */
export function deviceUplink(options: DeviceUplinkOptions): Uplink {
  const { address, space, outbox, clock, settings, backoff, failPoint } = options
  const { url, keepaliveSeconds, connectTimeoutSeconds } = options
  const log = createLog({ name: 'device', level: 'error' })
  const link = new Link({
    settings: {
      url,
      clientId: `${address.site}~${address.node}`,
      keepaliveSeconds,
      connectTimeoutSeconds,
      subscriptions: [nodeTopic('ack', address)],
    },
    backoff,
    clock,
    log,
  })
  return new Uplink({
    address,
    settings,
    space,
    outbox,
    link,
    report: {
      state: () => ({
        agent: '0.0.0',
        fingerprint: space.fingerprint,
        provider: 'cpu',
        rulesGroup: 'all',
        rulesVersion: 0,
        configVersion: 0,
        cameras: [],
      }),
      stats: () => ({
        uptimeSeconds: 1,
        framesSeen: 0,
        framesGated: 0,
        framesEmbedded: 0,
        framesFailed: 0,
        outboxRecords: outbox.counts.records,
        outboxBytes: outbox.counts.bytes,
        outboxDropped: outbox.counts.dropped,
        encodeP50Ms: 0,
        decisionP95Ms: 0,
        rssBytes: process.memoryUsage.rss(),
        cameras: [],
      }),
    },
    onRules: async () => {},
    clock,
    log,
    failPoint,
  })
}
