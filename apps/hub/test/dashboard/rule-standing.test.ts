import { expect, test } from 'vitest'
import { changeText, learntText, standing } from '../../dashboard/src/rule-standing.ts'
import type { RuleTarget } from '../../dashboard/src/rules-api.ts'

const device = { node: 'dock-1', online: true, rulesVersion: 8, rulesError: null }
const target: RuleTarget = { site: 'yard', version: 8, devices: [device], warning: null }

test('says who is behind, and why', () => {
  const devices = [
    device,
    { ...device, node: 'dock-2', rulesVersion: 7, rulesError: 'signature' },
    { ...device, node: 'dock-3', rulesVersion: 7, online: false },
    { ...device, node: 'dock-4', rulesVersion: 7 },
  ]
  expect(standing([{ ...target, devices }])).toEqual({
    inForce: 1,
    devices: 4,
    remarks: [
      'yard/dock-2 is on version 7: signature',
      'yard/dock-3 is on version 7: offline',
      'yard/dock-4 is on version 7: not taken over yet',
    ],
  })
})

test('says which site is sent nothing', () => {
  const warning = { code: 'RULES_TOO_LARGE', message: 'too many', remedy: 'Remove some.' }
  expect(standing([{ ...target, warning }]).remarks).toEqual([
    'Site yard gets no new rules: too many. Remove some.',
  ])
  expect(standing([])).toEqual({ inForce: 0, devices: 0, remarks: [] })
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
