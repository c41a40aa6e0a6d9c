import {
  type Address,
  DOWNLINK_TYPES,
  nodeTopic,
  parseRulesTopic,
  parseUplinkTopic,
  TOPIC_PREFIX,
} from '@sightline/core'
import type { DeviceLogin } from '../fleet/device-logins.ts'

/** Whom the broker takes a connection for. */
export type Caller =
  /** broker.access open: anybody, any topic. */
  | { readonly kind: 'open' }
  /** The loopback demo: anybody, within the protocol. */
  | { readonly kind: 'demo' }
  | { readonly kind: 'device'; readonly login: DeviceLogin }
  /** A device that looks whether it can get in (`sightline-agent doctor`) while its agent stays connected. */
  | { readonly kind: 'visitor'; readonly login: DeviceLogin }

/** Names and wildcards are told apart by exact comparison: nothing that a device may say holds a wildcard. */
export function mayPublish(caller: Caller, topic: string): boolean {
  switch (caller.kind) {
    case 'open':
      // Forged, they would throw other clients off.
      return !topic.startsWith('$')
    case 'demo':
      return parseUplinkTopic(topic) !== undefined
    case 'device': {
      const address = parseUplinkTopic(topic)
      return address !== undefined && address.site === caller.login.site && address.node === caller.login.node
    }
    case 'visitor':
      return false
  }
}

/** Retained messages live in memory: of a device its state and its settings, and no pictures. */
export function mayRetain(caller: Caller, topic: string): boolean {
  if (caller.kind === 'open') return true
  const type = parseUplinkTopic(topic)?.type
  return type === 'state' || type === 'cfg/reported'
}

export function maySubscribe(caller: Caller, filter: string): boolean {
  switch (caller.kind) {
    case 'open':
      return true
    case 'demo':
      return filter.startsWith(`${TOPIC_PREFIX}/`)
    case 'device':
      return isOwnDownlink(caller.login, filter) || parseRulesTopic(filter)?.site === caller.login.site
    case 'visitor':
      return false
  }
}

/** The last word of a device is its state; whoever else dies says nothing to the hub. */
export function mayWill(caller: Caller, topic: string): boolean {
  if (caller.kind === 'device') return topic === nodeTopic('state', caller.login)
  return mayPublish(caller, topic)
}

function isOwnDownlink(address: Address, filter: string): boolean {
  return DOWNLINK_TYPES.some(type => type !== 'rules' && filter === nodeTopic(type, address))
}
