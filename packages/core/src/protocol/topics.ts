import { fault } from '../errors.ts'

/**
 * Topics: `sightline/v1/{site}/{type}/{node}[/{camera}]`. Segments are restricted so that no name can hold an MQTT
 * wildcard or separator (MQTT 3.1.1, 4.7).
 */
export const TOPIC_PREFIX = 'sightline/v1'

export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'

const NAME = new RegExp(NAME_PATTERN)
const FINGERPRINT = /^[a-z0-9][a-z0-9._-]*:[0-9a-f]{12}$/

/** What an edge publishes. */
export const UPLINK_TYPES = ['state', 'emb', 'event', 'stats', 'cfg/reported', 'reply'] as const
/** What a hub publishes. */
export const DOWNLINK_TYPES = ['rules', 'ack', 'cmd', 'cfg/desired'] as const

export type UplinkType = (typeof UPLINK_TYPES)[number]
export type DownlinkType = (typeof DOWNLINK_TYPES)[number]

export interface Address {
  readonly site: string
  readonly node: string
}

export function isName(text: string): boolean {
  return NAME.test(text)
}

export function nodeTopic(
  type: UplinkType | Exclude<DownlinkType, 'rules'>,
  { site, node }: Address,
): string {
  return `${TOPIC_PREFIX}/${name(site)}/${type}/${name(node)}`
}

/** Rules are addressed to a group of a site and a vector space, since the bundle carries prompt vectors. */
export function rulesTopic(site: string, group: string, fingerprint: string): string {
  if (!FINGERPRINT.test(fingerprint))
    throw fault('PAYLOAD_INVALID', `not a model fingerprint: ${fingerprint}`)
  return `${TOPIC_PREFIX}/${name(site)}/rules/${name(group)}/${fingerprint}`
}

/** What a rules topic is for, or undefined for every other topic and for filters with wildcards. */
export function parseRulesTopic(
  topic: string,
): { readonly site: string; readonly group: string; readonly fingerprint: string } | undefined {
  const [product, version, site = '', type, group = '', fingerprint = '', ...rest] = topic.split('/')
  const fits = `${product}/${version}` === TOPIC_PREFIX && type === 'rules' && rest.length === 0
  if (!fits || !isName(site) || !isName(group) || !FINGERPRINT.test(fingerprint)) return undefined
  return { site, group, fingerprint }
}

/** Filter under which a hub receives one kind of message from every site and node. */
export function uplinkFilter(type: UplinkType): string {
  return `${TOPIC_PREFIX}/+/${type}/+`
}

export interface ParsedTopic extends Address {
  readonly type: UplinkType
}

/** The address of an uplink topic, or undefined for every other topic. */
export function parseUplinkTopic(topic: string): ParsedTopic | undefined {
  const [product, version, site, ...rest] = topic.split('/')
  const node = rest.pop()
  if (`${product}/${version}` !== TOPIC_PREFIX) return undefined
  if (site === undefined || node === undefined || !isName(site) || !isName(node)) return undefined
  const type = rest.join('/')
  const known = UPLINK_TYPES.find(candidate => candidate === type)
  return known === undefined ? undefined : { site, node, type: known }
}

function name(segment: string): string {
  if (!isName(segment))
    throw fault('PAYLOAD_INVALID', `not a valid name for a topic: ${JSON.stringify(segment)}`)
  return segment
}
