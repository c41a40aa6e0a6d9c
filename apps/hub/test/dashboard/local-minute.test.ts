import { afterEach, expect, test } from 'vitest'
import { instantOf, localMinute } from '../../dashboard/src/local-minute.ts'

const zone = process.env.TZ
afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

test('an instant is shown in the zone of the page, and means the same in another', () => {
  process.env.TZ = 'Europe/Berlin'
  const instant = instantOf('2026-03-10T09:05')
  expect(instant).toBe('2026-03-10T08:05:00.000Z')
  expect(localMinute(instant)).toBe('2026-03-10T09:05')
  process.env.TZ = 'Asia/Tokyo'
  expect(localMinute(instant)).toBe('2026-03-10T17:05')
})

test('what is no time is empty', () => {
  expect([localMinute(''), localMinute('soon'), instantOf('')]).toEqual(['', '', ''])
})
