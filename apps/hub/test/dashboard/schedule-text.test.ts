import { expect, test } from 'vitest'
import { readWindows, windowsText } from '../../dashboard/src/schedule-text.ts'

test.each([
  ['mon-fri 08:00-18:00', 'mon-fri 08:00-18:00'],
  ['Daily 22:00 - 6:00', 'daily 22:00-06:00'],
  ['fri-mon 00:00-24:00', 'mon,fri,sat,sun 00:00-00:00'],
  ['sat, sun 10:30-11:00', 'sat,sun 10:30-11:00'],
  ['\n  wed 09:00-10:00 \n\nthu 9:00-10:00\n', 'wed 09:00-10:00\nthu 09:00-10:00'],
  ['', ''],
])('%j is %j', (given, kept) => {
  const windows = readWindows(given)
  expect(windowsText(windows!)).toBe(kept)
  // What is shown is read as the same.
  expect(readWindows(kept)).toEqual(windows)
})

test.each([
  'mon',
  '08:00-18:00',
  'mon 8-18',
  'mon 25:00-26:00',
  'someday 08:00-09:00',
  'mon 08:00-09:60',
  'mon-funday 1:00-2:00',
])('%j is no window', text => expect(readWindows(text)).toBeUndefined())
