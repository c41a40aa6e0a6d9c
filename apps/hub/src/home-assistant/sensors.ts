import { createHash } from 'node:crypto'
import type { Rule } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import { isFor } from '../rules/narrow.ts'
import type { NodeRecord } from '../store/record-store.ts'

/** The hub's own topics for Home Assistant; devices publish nothing here. */
export const STATE_PREFIX = 'sightline-ha'

/** A rule on a camera, as Home Assistant sees it. */
export interface Sensor {
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly rule: Rule
  readonly online: boolean
}

/** One for each enabled rule and each camera that its devices have reported. */
export function sensorsOf(nodes: readonly NodeRecord[], rules: readonly Rule[]): Sensor[] {
  return nodes.flatMap(({ site, node, state }) => {
    if (state === null) return []
    const sent = rules.filter(rule => rule.enabled && isFor(rule, { site, group: state.rulesGroup }))
    return state.cameras.flatMap(({ camera }) =>
      sent
        .filter(rule => matchesCamera(rule.cameras, camera))
        .map(rule => ({ site, node, camera, rule, online: state.online })),
    )
  })
}

export function stateTopic({
  site,
  node,
  camera,
  rule,
}: Pick<Sensor, 'site' | 'node' | 'camera'> & { rule: Pick<Rule, 'id'> }): string {
  return `${STATE_PREFIX}/${site}/${node}/${camera}/${rule.id}`
}

export function availabilityTopic({ site, node }: Pick<Sensor, 'site' | 'node'>): string {
  return `${STATE_PREFIX}/${site}/${node}/availability`
}

/** Ids in it are of [a-zA-Z0-9_-] alone, which names are not: hence a digest. */
export function configTopic(prefix: string, sensor: Sensor): string {
  return `${prefix}/binary_sensor/sightline/${uniqueId(sensor)}/config`
}

/** A discovery message (Home Assistant, "MQTT discovery"); one device for each camera. */
export function configPayload(sensor: Sensor, version: string) {
  const { site, node, camera, rule } = sensor
  return {
    name: rule.name,
    unique_id: uniqueId(sensor),
    state_topic: stateTopic(sensor),
    payload_on: 'ON',
    payload_off: 'OFF',
    availability_topic: availabilityTopic(sensor),
    payload_available: 'online',
    payload_not_available: 'offline',
    device_class: 'problem',
    qos: 1,
    device: {
      identifiers: [`sightline_${digest([site, node, camera])}`],
      name: `${camera} (${node})`,
      manufacturer: 'Sightline',
      model: 'Camera',
      suggested_area: site,
    },
    origin: { name: 'Sightline', sw_version: version },
  }
}

function uniqueId({ site, node, camera, rule }: Sensor): string {
  return `sightline_${digest([site, node, camera, rule.id])}`
}

function digest(names: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 20)
}
