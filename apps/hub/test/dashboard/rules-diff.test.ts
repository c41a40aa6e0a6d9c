import { expect, test } from 'vitest'
import type { Rule } from '../../dashboard/src/api-types.ts'
import { NEW_RULE, readForm } from '../../dashboard/src/rule-form.ts'
import { diffRules, isNoChange, putOnTop } from '../../dashboard/src/rules-diff.ts'

const rule = (id: string, change: Partial<Rule> = {}): Rule => ({
  ...readForm({ ...NEW_RULE, id, name: id, positives: 'a cat\na kitten' }, []).rule,
  ...change,
})

test('tells what comes, goes and changes', () => {
  const before = [rule('cat'), rule('dog'), rule('fox')]
  const after = [rule('dog'), rule('cat', { on: 0.8, positives: ['a cat', 'a tiger'] }), rule('owl')]
  const diff = diffRules(before, after)
  expect(diff.added.map(({ id }) => id)).toEqual(['owl'])
  expect(diff.removed.map(({ id }) => id)).toEqual(['fox'])
  expect(diff.same).toBe(1)
  expect(diff.changed).toMatchObject([
    {
      rule: { id: 'cat' },
      fields: [
        { field: 'positives', before: ['a kitten'], after: ['a tiger'] },
        { field: 'on', before: ['0.7'], after: ['0.8'] },
      ],
    },
  ])
  expect(isNoChange(diff)).toBe(false)
  expect(isNoChange(diffRules(before, structuredClone(before)))).toBe(true)
})

test('a schedule, a review band and an order are told, too', () => {
  const window = { days: ['mon' as const], from: '08:00', to: '18:00' }
  const after = rule('cat', {
    schedule: { timeZone: 'UTC', windows: [window] },
    reviewAt: 0.5,
    positives: ['a kitten', 'a cat'],
  })
  expect(diffRules([rule('cat')], [after]).changed[0]!.fields).toEqual([
    { field: 'positives', before: ['a cat', 'a kitten'], after: ['a kitten', 'a cat'] },
    { field: 'schedule', before: [], after: ['mon 08:00-18:00', 'UTC'] },
    { field: 'reviewAt', before: [], after: ['0.5'] },
  ])
})

test('rules on top of others take their places, and new ones come last', () => {
  const rules = [rule('cat'), rule('dog')]
  const merged = putOnTop(rules, [rule('owl'), rule('cat', { on: 0.9 })])
  expect(merged.map(({ id, on }) => [id, on])).toEqual([
    ['cat', 0.9],
    ['dog', 0.7],
    ['owl', 0.7],
  ])
})
