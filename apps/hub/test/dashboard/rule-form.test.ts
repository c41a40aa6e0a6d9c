import { Rule, schemaFaults } from '@sightline/core'
import { describe, expect, test } from 'vitest'
import {
  faultsFromHub,
  formOf,
  idFrom,
  NEW_RULE,
  type RuleForm,
  readForm,
  unableConcepts,
} from '../../dashboard/src/rule-form.ts'

const GOOD: RuleForm = {
  ...NEW_RULE,
  id: 'cat-in-view',
  name: 'Cat in view',
  positives: 'a cat\n\n  a kitten  \n',
  negatives: 'a dog',
}

test('a good form is a rule of the schema, and comes back as it was', () => {
  const { rule, faults } = readForm(GOOD, [])
  expect(faults).toEqual({})
  expect(schemaFaults(Rule, rule)).toEqual([])
  expect(rule.positives).toEqual(['a cat', 'a kitten'])
  expect(readForm(formOf(rule), []).rule).toEqual(rule)
})

test('everything that a rule can say is in the form', () => {
  const form: RuleForm = {
    ...GOOD,
    schedule: 'mon-fri 08:00-18:00\nsat 22:00-06:00',
    timeZone: 'Europe/Berlin',
    reviewAt: '0.5',
    windowSeconds: '20',
    minExampleSimilarity: '0.7',
    positiveExamples: 'ex:0123\nsite~node~S~1',
    negativeExamples: 'ex:4567',
    sites: 'north-*',
    groups: 'indoor\noutdoor',
    actions: 'siren',
  }
  const { rule, faults } = readForm(form, [])
  expect(faults).toEqual({})
  expect(schemaFaults(Rule, rule)).toEqual([])
  expect(rule).toMatchObject({
    schedule: { timeZone: 'Europe/Berlin', windows: [{ from: '08:00' }, { days: ['sat'], to: '06:00' }] },
    reviewAt: 0.5,
    groups: ['indoor', 'outdoor'],
  })
  expect(formOf(rule)).toEqual({ ...form, positives: 'a cat\na kitten' })
})

test.each<[keyof RuleForm, Partial<RuleForm>]>([
  ['schedule', { schedule: 'sometimes' }],
  ['timeZone', { schedule: 'daily 08:00-18:00', timeZone: 'Mars/Olympus' }],
  ['reviewAt', { reviewAt: '0.7' }],
])('%s is named where it is wrong', (field, change) => {
  expect(readForm({ ...GOOD, ...change }, []).faults).toHaveProperty(field)
})

describe('what the schema refuses, the form names by its field', () => {
  test.each<[keyof RuleForm, string]>([
    ['id', 'Not An Id'],
    ['id', ''],
    ['name', ''],
    ['name', 'x'.repeat(121)],
    ['category', 'safety//fire'],
    ['positives', ' \n '],
    ['positives', 'x\n'.repeat(65)],
    ['negatives', 'x'.repeat(1001)],
    ['templates', 'a photo of'],
    ['on', '0'],
    ['on', '1.1'],
    ['off', '-0.1'],
    ['off', ''],
    ['minSimilarity', '2'],
    ['minFrames', '1.5'],
    ['minFrames', '0'],
    ['offDelaySeconds', '-1'],
    ['cooldownSeconds', '86401'],
    ['cameras', ''],
  ])('%s, case %#', (field, value) => {
    const { rule, faults } = readForm({ ...GOOD, [field]: value }, [])
    expect(Object.keys(faults)).toEqual([field])
    // JSON has no NaN: an empty number travels as null.
    expect(schemaFaults(Rule, JSON.parse(JSON.stringify(rule)))).not.toEqual([])
  })

  test('an id that is taken, a threshold that could never let go', () => {
    expect(Object.keys(readForm(GOOD, ['cat-in-view']).faults)).toEqual(['id'])
    expect(Object.keys(readForm({ ...GOOD, on: '0.4', off: '0.5' }, []).faults)).toEqual(['off'])
  })
})

test("the hub's faults find their fields", () => {
  const message =
    'rules.1.on: must be <= 1\nrules.2.off: must not be above on\nrules.2.positives.0: must not be blank'
  expect(faultsFromHub(message, 2)).toEqual({ off: 'must not be above on', positives: 'must not be blank' })
  expect(faultsFromHub('the rules are at version 8', 2)).toEqual({})
})

test('an id is made of the name', () => {
  expect(idFrom('  Person at the Gate! ')).toBe('person-at-the-gate')
  expect(idFrom('Café №3')).toBe('cafe-no3')
  expect(idFrom('🔥')).toBe('')
})

test('concepts that the model cannot do are found as whole words, in either number', () => {
  const cannot = ['knife', 'gun', 'blood', 'smoking']
  const look = (positives: string) => unableConcepts({ ...GOOD, positives }, cannot)
  expect(look('two men with Knives')).toEqual(['knife'])
  expect(look('guns on a table\nblood')).toEqual(['gun', 'blood'])
  expect(look('it has begun')).toEqual([])
})
