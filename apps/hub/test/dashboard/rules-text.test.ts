import { expect, test } from 'vitest'
import { lineOf, lineRange } from '../../dashboard/src/rules-text.ts'

test('a line is found by its number', () => {
  const text = 'rules:\n  - id: cat\n\nend'
  const line = (number: number) => text.slice(...lineRange(text, number))
  expect([1, 2, 3, 4].map(line)).toEqual(['rules:', '  - id: cat', '', 'end'])
  expect(lineRange(text, 9)).toEqual([text.length, text.length])
})

test('a message may name the line', () => {
  expect(lineOf('not YAML: Flow sequence must end with a ] at line 3, column 1')).toBe(3)
  expect(lineOf('the rules are at version 8')).toBeUndefined()
})
