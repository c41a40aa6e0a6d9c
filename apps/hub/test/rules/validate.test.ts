import { isFault } from '@sightline/core'
import type { RuleCheck } from '@sightline/hub/rules/rule-faults.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { cannotWarnings, validateRules } from '@sightline/hub/rules/validate.js'
import { expect, test } from 'vitest'

const minimal = { id: 'cat', name: 'Cat', positives: ['a cat'] }

function faultsOf(rules: unknown, check?: RuleCheck): Record<string, string> {
  try {
    validateRules(rules, check)
  } catch (error) {
    if (!isFault(error, 'RULES_INVALID')) throw error
    const faults = error.details.faults as { path: string; message: string }[]
    for (const { path } of faults) expect(error.message).toContain(path)
    return Object.fromEntries(faults.map(({ path, message }) => [path, message]))
  }
  return {}
}

test('defaults are filled in, and what was given is not changed', () => {
  const given = [{ ...minimal }]
  const [rule] = validateRules(given)
  expect(rule).toEqual({
    ...minimal,
    category: 'general',
    severity: 'medium',
    enabled: true,
    negatives: [],
    positiveExamples: [],
    negativeExamples: [],
    templates: ['{}'],
    on: 0.7,
    off: 0.5,
    minSimilarity: 0.1,
    minExampleSimilarity: 0.8,
    minFrames: 1,
    windowSeconds: 0,
    offDelaySeconds: 0,
    cooldownSeconds: 0,
    cameras: ['*'],
    sites: ['*'],
    groups: ['*'],
    actions: [],
  })
  expect(given).toEqual([minimal])
})

test('every fault is named by its path, all at once', () => {
  const faults = faultsOf([
    { id: 'No Spaces', name: '', positives: [], surprise: 1 },
    { ...minimal, on: 1.5, templates: ['no place'] },
  ])
  expect(Object.keys(faults).sort()).toEqual([
    'rules.0.id',
    'rules.0.name',
    'rules.0.positives',
    'rules.0.surprise',
    'rules.1.on',
    'rules.1.templates.0',
  ])
})

test('faults of meaning: ids twice, thresholds upside down, blank or overlong prompts', () => {
  const faults = faultsOf(
    [
      { ...minimal, on: 0.4, off: 0.6 },
      { ...minimal, negatives: ['  '], positives: ['a cat', 'a very very long prompt'] },
    ],
    { fitsContext: text => text.length < 20 },
  )
  expect(Object.keys(faults)).toEqual([
    'rules.0.off',
    'rules.1.id',
    'rules.1.positives.1',
    'rules.1.negatives.0',
  ])
  expect(faults['rules.1.id']).toContain('rules.0')
})

test.each([undefined, null, 'rules', { rules: [] }, [null], [[]], [1]])('%j is no list of rules', given => {
  expect(Object.keys(faultsOf(given)).length).toBeGreaterThan(0)
})

test('a flood of prompts is refused before anything is embedded', () => {
  const many = (n: number, text: string) => Array.from({ length: n }, (_, i) => `${text} ${i}`)
  const rules = Array.from({ length: 100 }, (_, i) => ({
    ...minimal,
    id: `r${i}`,
    positives: many(64, 'cat'),
    templates: many(100, '{}'),
  }))
  expect(faultsOf(rules).rules).toContain('640000')
})

test('a rule that looks for what the model cannot recognise carries a warning', () => {
  const rule = (id: string, ...positives: string[]) => ({ ...validateRules([minimal])[0]!, id, positives })
  const warnings = cannotWarnings(
    [
      rule('blade', 'a man with two Knives', 'a knife on a table'),
      rule('start', 'the race has begun', 'a gunner'),
      rule('shot', 'a gun', 'guns and rifles'),
    ],
    ['knife', 'gun', 'rifle'],
  )
  expect(warnings.map(({ rule: id, message }) => [id, /"(.*)"/.exec(message)![1]])).toEqual([
    ['blade', 'knife'],
    ['shot', 'gun'],
    ['shot', 'rifle'],
  ])
})

test('the starter rules are valid and distinct', () => {
  const rules = starterRules()
  expect(rules).toHaveLength(3)
  expect(validateRules(rules)).toEqual(rules)
})
