import type { FleetPlace, Reach } from '@sightline/core/moderation/audience.js'
import type { FleetNode, Rule } from './api-types.ts'
import { percent, plural } from './format.ts'
import type { ExampleKind } from './rule-examples.ts'
import type { Learnt, RuleChange, RuleRecord, RuleTarget } from './rules-api.ts'

export type DeviceStanding = 'applied' | 'pending' | 'offline' | 'refused' | 'unsent'

export interface DeviceRules {
  readonly site: string
  readonly group: string
  readonly node: string
  readonly standing: DeviceStanding
  /** Of the rules that it applies. */
  readonly version: number
  /** Of the rules that its like was last sent. */
  readonly wanted: number | null
  /** Why it does not apply them; empty when it does. */
  readonly reason: string
}

export interface RollOut {
  readonly inForce: number
  /** Those that need a look first. */
  readonly devices: readonly DeviceRules[]
  /** Sites that are sent nothing, with devices or without. */
  readonly unsent: readonly string[]
}

const ORDER: readonly DeviceStanding[] = ['refused', 'unsent', 'pending', 'offline', 'applied']

/** Who applies the rules that were sent to it, and why the others do not. */
export function rollOut(targets: readonly RuleTarget[]): RollOut {
  const devices = targets.flatMap(target => target.devices.map(device => standingOf(target, device)))
  devices.sort((a, b) => ORDER.indexOf(a.standing) - ORDER.indexOf(b.standing))
  return {
    inForce: devices.filter(({ standing }) => standing === 'applied').length,
    devices,
    unsent: targets.flatMap(({ site, warning }) =>
      warning === null ? [] : [`Site ${site} gets no new rules: ${warning.message}. ${warning.remedy}`],
    ),
  }
}

function standingOf(target: RuleTarget, device: RuleTarget['devices'][number]): DeviceRules {
  const { site, group, version: wanted, warning } = target
  const { node, online, rulesVersion: version, rulesError } = device
  const [standing, reason] = ((): [DeviceStanding, string] => {
    if (rulesError !== null) return ['refused', rulesError]
    if (warning !== null) return ['unsent', warning.message]
    if (version === wanted) return ['applied', '']
    return online ? ['pending', 'not taken over yet'] : ['offline', 'gets them when it is back']
  })()
  return { site, group, node, standing, version, wanted, reason }
}

/** The fleet as rules address it: devices with the cameras that they have told of. */
export function fleetPlaces(
  targets: readonly RuleTarget[],
  nodes: ReadonlyMap<string, Pick<FleetNode, 'site' | 'node' | 'cameras'>>,
): FleetPlace[] {
  const cameras = new Map(
    [...nodes.values()].map(node => [`${node.site}/${node.node}`, node.cameras.map(({ camera }) => camera)]),
  )
  return targets.flatMap(({ site, group, devices }) =>
    devices.map(({ node }) => ({ site, group, node, cameras: cameras.get(`${site}/${node}`) ?? [] })),
  )
}

export function reachText({ devices, cameras }: Reach): string {
  return cameras === 0
    ? 'Reaches no camera so far'
    : `Reaches ${plural(cameras, 'camera')} on ${plural(devices, 'device')}`
}

/** Nothing of a rule that names no pictures. */
export function examplesText({
  positiveExamples: like,
  negativeExamples: unlike,
}: Pick<Rule, ExampleKind>): string[] {
  const parts = [
    ...(like.length === 0 ? [] : [`${plural(like.length, 'picture')} like it`]),
    ...(unlike.length === 0 ? [] : [`${plural(unlike.length, 'picture')} unlike it`]),
  ]
  return parts.length === 0 ? [] : [`Knows ${parts.join(', ')}`]
}

/** How often reviewers agreed with the rule. */
export function recordText({ reviewed, confirmed }: RuleRecord): string {
  return `${confirmed} of ${plural(reviewed, 'reviewed incident')} confirmed: precision ${percent(confirmed / reviewed)}`
}

export function learntText({ labels, positives, calibration, head, eceBefore, eceAfter }: Learnt): string {
  const from = `${plural(labels, 'label')}, ${positives} of them positive`
  const what = [
    ...(calibration === null ? [] : [`calibrated (${calibration})`]),
    ...(head ? ['few-shot head in use'] : []),
  ]
  const gain =
    eceBefore === null || eceAfter === null
      ? ''
      : `; its scores are off by ${percent(eceAfter)} instead of ${percent(eceBefore)}`
  return what.length === 0 ? `${from}; not enough to learn from` : `${from}; ${what.join(', ')}${gain}`
}

export function changeText({ added, changed, removed, restored }: RuleChange): string {
  const parts = [
    restored === null ? '' : `version ${restored} restored`,
    added.length === 0 ? '' : `added ${added.join(', ')}`,
    changed.length === 0 ? '' : `changed ${changed.join(', ')}`,
    removed.length === 0 ? '' : `removed ${removed.join(', ')}`,
  ].filter(part => part !== '')
  return parts.length === 0 ? 'nothing changed' : parts.join('; ')
}
