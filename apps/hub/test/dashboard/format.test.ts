import { describe, expect, test } from 'vitest'
import {
  absoluteTime,
  bytes,
  duration,
  millis,
  percent,
  plural,
  rate,
  relativeTime,
  sentence,
} from '../../dashboard/src/format.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const ago = (milliseconds: number) => relativeTime(new Date(NOW - milliseconds).toISOString(), NOW)

describe('relative time', () => {
  test.each([
    [0, 'just now'],
    [4_999, 'just now'],
    [5_000, '5 s ago'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_599_999, '59 min ago'],
    [3_600_000, '1 h ago'],
    [86_400_000, '1 d ago'],
    [6 * 86_400_000, '6 d ago'],
    [7 * 86_400_000, '3 Mar 2026'],
  ])('%i ms reads %s', (age, text) => {
    expect(ago(age)).toBe(text)
  })

  test('a device whose clock is a little ahead is not in the future; one far ahead is', () => {
    expect(ago(-3000)).toBe('just now')
    expect(ago(-600_000)).toBe('in 10 min')
  })

  test('a time in full says in which zone', () => {
    expect(absoluteTime('2026-03-10T12:00:00Z')).toMatch(/^\d+ Mar 2026, \d\d:\d\d:00 [A-Z]{3,4}([+-]\d+)?$/)
  })

  test('what is no time says so', () => {
    expect(absoluteTime('yesterday')).toBe('unknown time')
    expect(relativeTime('yesterday', NOW)).toBe('unknown')
  })
})

test('a probability is never certain unless it is', () => {
  expect([0, 0.004, 0.5, 0.835, 0.996, 1].map(percent)).toEqual(['0%', '<1%', '50%', '84%', '>99%', '100%'])
})

test('a message that another sentence follows ends', () => {
  expect(['it is full', 'Is it full?'].map(sentence)).toEqual(['it is full.', 'Is it full?'])
})

test('durations, sizes and counts', () => {
  expect([-5, 45_000, 190_000, 7_200_000, 350_000_000].map(duration)).toEqual([
    '0 s',
    '45 s',
    '3 min 10 s',
    '2 h',
    '4 d 1 h',
  ])
  expect([0, 999, 1500, 28_000, 9_700_000].map(bytes)).toEqual(['0 B', '999 B', '1.5 KB', '28 KB', '9.7 MB'])
  expect([9_970, 999_600].map(bytes)).toEqual(['10 KB', '1.0 MB'])
  expect([8.42, 9.97, 120.4, 999.7, 1340].map(millis)).toEqual([
    '8.4 ms',
    '10 ms',
    '120 ms',
    '1.0 s',
    '1.3 s',
  ])
  expect([plural(1, 'match', 'matches'), plural(1200, 'match', 'matches')]).toEqual([
    '1 match',
    '1,200 matches',
  ])
})

test.each([
  [0, '0/s'],
  [1 / 300, '0.2/min'],
  [0.05, '3/min'],
  [0.5, '0.5/s'],
  [2.04, '2/s'],
  [29.97, '30/s'],
])('%d times a second reads %s', (perSecond, text) => {
  expect(rate(perSecond)).toBe(text)
})
