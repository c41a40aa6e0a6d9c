import { expect, test } from 'vitest'
import { examplesIn, kindOf, withExample } from '../../dashboard/src/rule-examples.ts'
import { NEW_RULE, readForm } from '../../dashboard/src/rule-form.ts'

test('a picture stands on one side only', () => {
  const one = withExample({ ...NEW_RULE, positiveExamples: 'ex:1\n\n ex:2 ' }, 'ex:3', 'positiveExamples')
  expect(examplesIn(one, 'positiveExamples')).toEqual(['ex:1', 'ex:2', 'ex:3'])
  const turned = withExample(one, 'ex:2', 'negativeExamples')
  expect(examplesIn(turned, 'positiveExamples')).toEqual(['ex:1', 'ex:3'])
  expect(kindOf(turned, 'ex:2')).toBe('negativeExamples')
  const gone = withExample(turned, 'ex:2', undefined)
  expect(kindOf(gone, 'ex:2')).toBeUndefined()
  expect(readForm(gone, []).rule).toMatchObject({
    positiveExamples: ['ex:1', 'ex:3'],
    negativeExamples: [],
  })
})

test('a picture that is there already changes nothing', () => {
  const form = { ...NEW_RULE, positiveExamples: 'ex:1' }
  expect(withExample(form, 'ex:1', 'positiveExamples')).toBe(form)
  expect(withExample(form, 'ex:2', undefined)).toBe(form)
})
