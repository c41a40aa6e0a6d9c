import { expect, test } from 'vitest'
import {
  changeText,
  examplesText,
  fleetPlaces,
  learntText,
  reachText,
  recordText,
  rollOut,
} from '../../dashboard/src/rule-standing.ts'
import type { RuleTarget } from '../../dashboard/src/rules-api.ts'

const device = { node: 'dock-1', online: true, rulesVersion: 8, rulesError: null }
const target: RuleTarget = { site: 'yard', group: 'all', version: 8, devices: [device], warning: null }

test('says who is behind, and why; whoever needs a look comes first', () => {
  const devices = [
    device,
    { ...device, node: 'dock-2', rulesVersion: 7, rulesError: 'signature' },
    { ...device, node: 'dock-3', rulesVersion: 7, online: false },
    { ...device, node: 'dock-4', rulesVersion: 7 },
  ]
  const { inForce, devices: told } = rollOut([{ ...target, devices }])
  expect(inForce).toBe(1)
  expect(
    told.map(({ node, standing, version, wanted, reason }) => [node, standing, version, wanted, reason]),
  ).toEqual([
    ['dock-2', 'refused', 7, 8, 'signature'],
    ['dock-4', 'pending', 7, 8, 'not taken over yet'],
    ['dock-3', 'offline', 7, 8, 'gets them when it is back'],
    ['dock-1', 'applied', 8, 8, ''],
  ])
})

test('says which site is sent nothing', () => {
  const warning = { code: 'RULES_TOO_LARGE', message: 'too many', remedy: 'Remove some.' }
  const { unsent, devices } = rollOut([{ ...target, warning }])
  expect(unsent).toEqual(['Site yard gets no new rules: too many. Remove some.'])
  expect(devices).toMatchObject([{ standing: 'unsent', reason: 'too many' }])
  expect(rollOut([])).toEqual({ inForce: 0, devices: [], unsent: [] })
})

test('devices are put together with the cameras that they told of', () => {
  const cameras = [{ camera: 'gate', status: 'running' as const, lastFrameAt: null }]
  const nodes = new Map([['yard/dock-1', { site: 'yard', node: 'dock-1', cameras }]])
  const devices = [device, { ...device, node: 'dock-2' }]
  expect(fleetPlaces([{ ...target, devices }], nodes)).toEqual([
    { site: 'yard', group: 'all', node: 'dock-1', cameras: ['gate'] },
    { site: 'yard', group: 'all', node: 'dock-2', cameras: [] },
  ])
})

test('reach, pictures and record are told in words', () => {
  expect(examplesText({ positiveExamples: [], negativeExamples: [] })).toEqual([])
  expect(examplesText({ positiveExamples: ['a', 'b'], negativeExamples: ['c'] })).toEqual([
    'Knows 2 pictures like it, 1 picture unlike it',
  ])
  expect(reachText({ devices: 1, cameras: 3 })).toBe('Reaches 3 cameras on 1 device')
  expect(reachText({ devices: 0, cameras: 0 })).toBe('Reaches no camera so far')
  expect(recordText({ rule: 'fire', reviewed: 12, confirmed: 9, notes: [] })).toMatch(
    /^9 of 12 reviewed incidents confirmed: precision 75\s?%$/,
  )
})

test('a lesson is told with what it is worth', () => {
  const lesson = { rule: 'fire', labels: 40, positives: 9, calibration: null, head: false }
  expect(learntText({ ...lesson, eceBefore: null, eceAfter: null })).toBe(
    '40 labels, 9 of them positive; not enough to learn from',
  )
  expect(learntText({ ...lesson, calibration: 'platt', head: true, eceBefore: 0.2, eceAfter: 0.05 })).toMatch(
    /calibrated \(platt\), few-shot head in use; its scores are off by 5\s?% instead of 20\s?%/,
  )
})

test('a change is told in words', () => {
  const change = { version: 3, at: '', actor: 'local', added: [], changed: [], removed: [], restored: null }
  expect(changeText(change)).toBe('nothing changed')
  expect(changeText({ ...change, restored: 1, added: ['fire'], removed: ['smoke', 'fog'] })).toBe(
    'version 1 restored; added fire; removed smoke, fog',
  )
})
