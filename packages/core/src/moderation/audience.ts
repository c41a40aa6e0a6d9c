import type { Rule } from '../protocol/rules.ts'
import { matchesCamera } from './camera-glob.ts'

/** A device of the fleet, as rules address it. */
export interface FleetPlace {
  readonly site: string
  readonly group: string
  readonly node: string
  readonly cameras: readonly string[]
}

export type Audience = Pick<Rule, 'cameras' | 'sites' | 'groups'>

export interface Reach {
  readonly devices: number
  readonly cameras: number
}

/** Names that a warning lists. */
const SHOWN_NAMES = 20

/** How many devices get the rule, and on how many of their cameras it is asked. */
export function reachOf(rule: Audience, fleet: readonly FleetPlace[]): Reach {
  const own = fleet.filter(place => isAt(rule, place)).map(place => camerasIn(rule, place).length)
  return {
    devices: own.filter(cameras => cameras > 0).length,
    cameras: own.reduce((sum, cameras) => sum + cameras, 0),
  }
}

/**
 * One warning for each glob that fits nothing in the fleet (it may be misspelt, or come later), and one when every glob
 * fits something but no camera fits them all. A fleet that is not known says nothing.
 */
export function audienceWarnings(rule: Audience, fleet: FleetNames): string[] {
  if (fleet.places.length === 0) return []
  const asked = [
    { globs: rule.sites, names: fleet.sites, nothing: 'No device is at a site' },
    { globs: rule.groups, names: fleet.groups, nothing: 'No device is in a group' },
    { globs: rule.cameras, names: fleet.cameras, nothing: 'No camera is' },
  ]
  const warnings = asked.flatMap(({ globs, names, nothing }) =>
    names.length === 0
      ? []
      : unmatched(globs, names).map(glob => `${nothing} called "${glob}" so far; there are ${told(names)}.`),
  )
  const reaches = fleet.places.some(place => isAt(rule, place) && camerasIn(rule, place).length > 0)
  if (warnings.length > 0 || reaches || fleet.cameras.length === 0) return warnings
  return ['Its sites, groups and cameras together fit no camera that is known.']
}

/** Every name once, in order: what many rules are held against. */
export interface FleetNames {
  readonly places: readonly FleetPlace[]
  readonly sites: readonly string[]
  readonly groups: readonly string[]
  readonly cameras: readonly string[]
}

export function fleetNames(places: readonly FleetPlace[]): FleetNames {
  return {
    places,
    sites: sorted(places.map(({ site }) => site)),
    groups: sorted(places.map(({ group }) => group)),
    cameras: sorted(places.flatMap(({ cameras }) => cameras)),
  }
}

function isAt({ sites, groups }: Audience, { site, group }: FleetPlace): boolean {
  return matchesCamera(sites, site) && matchesCamera(groups, group)
}

function camerasIn({ cameras: globs }: Audience, { cameras }: FleetPlace): readonly string[] {
  return cameras.filter(camera => matchesCamera(globs, camera))
}

function unmatched(globs: readonly string[], names: readonly string[]): string[] {
  return globs.filter(glob => !names.some(name => matchesCamera([glob], name)))
}

function told(names: readonly string[]): string {
  const rest = names.length - SHOWN_NAMES
  return `${names.slice(0, SHOWN_NAMES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}
