import { audienceWarnings, fleetNames, reachOf } from '@sightline/core/moderation/audience.js'
import { expect, test } from 'vitest'

const fleet = [
  { site: 'north', group: 'all', node: 'a', cameras: ['gate-1', 'gate-2', 'yard'] },
  { site: 'north', group: 'indoor', node: 'b', cameras: ['hall'] },
  { site: 'south', group: 'all', node: 'a', cameras: ['gate-1'] },
]
const names = fleetNames(fleet)
const all = { sites: ['*'], groups: ['*'], cameras: ['*'] }

test('a rule reaches the cameras whose site, group and name it fits', () => {
  expect(reachOf(all, fleet)).toEqual({ devices: 3, cameras: 5 })
  expect(reachOf({ ...all, cameras: ['gate-*'] }, fleet)).toEqual({ devices: 2, cameras: 3 })
  expect(reachOf({ ...all, sites: ['north'], groups: ['indoor'] }, fleet)).toEqual({ devices: 1, cameras: 1 })
  expect(reachOf({ ...all, cameras: ['roof'] }, fleet)).toEqual({ devices: 0, cameras: 0 })
})

test('every glob that fits nothing is named, with what there is', () => {
  expect(audienceWarnings(all, names)).toEqual([])
  expect(
    audienceWarnings({ sites: ['east', 'n*'], groups: ['outdoor'], cameras: ['roof', 'yard'] }, names),
  ).toEqual([
    'No device is at a site called "east" so far; there are north, south.',
    'No device is in a group called "outdoor" so far; there are all, indoor.',
    'No camera is called "roof" so far; there are gate-1, gate-2, hall, yard.',
  ])
})

test('globs that fit one by one and never together are told, too', () => {
  expect(audienceWarnings({ ...all, sites: ['south'], cameras: ['hall'] }, names)).toEqual([
    'Its sites, groups and cameras together fit no camera that is known.',
  ])
})

test('of a fleet that is not known nothing is said', () => {
  const nowhere = { sites: ['east'], groups: ['x'], cameras: ['roof'] }
  expect(audienceWarnings(nowhere, fleetNames([]))).toEqual([])
  // A device that has just started has told of no camera yet.
  const early = fleetNames([{ site: 'east', group: 'x', node: 'a', cameras: [] }])
  expect(audienceWarnings(nowhere, early)).toEqual([])
})

test('of many names a warning lists twenty', () => {
  const cameras = Array.from({ length: 25 }, (_, i) => `c${String(i).padStart(2, '0')}`)
  const [warning] = audienceWarnings({ ...all, cameras: ['x'] }, fleetNames([{ ...fleet[0]!, cameras }]))
  expect(warning).toMatch(/c19 and 5 more\.$/)
})
