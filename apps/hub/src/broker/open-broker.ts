import type { Clock } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import { Broker, type BrokerOptions } from './broker.ts'
import type { BrokerLink } from './broker-link.ts'
import { ExternalBroker } from './external-broker.ts'

export interface OpenBrokerOptions extends Omit<BrokerOptions, 'settings'> {
  readonly settings: Pick<HubSettings, 'mqtt' | 'broker'>
  readonly clock: Clock
}

/** The embedded broker, or the one that broker.url names. */
export function openBroker({ settings, clock, ...options }: OpenBrokerOptions): BrokerLink {
  const { url } = settings.broker
  if (url === undefined) return new Broker({ settings: settings.mqtt, clock, ...options })
  const { ingest, log } = options
  return new ExternalBroker({ settings: { ...settings.broker, url }, ingest, clock, log })
}
