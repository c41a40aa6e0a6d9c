import type { Schedule } from '@sightline/core'
import { isTimeZone, LocalTimes, onDuty } from '@sightline/core/moderation/schedule.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
type Window = Schedule['windows'][number]

const all = (from: string, to: string): Window => ({ days: [...DAYS], from, to })
const schedule = (timeZone: string, ...windows: Window[]): Schedule => ({ timeZone, windows })

/** The answers at these UTC times. */
function asked(given: Schedule, ...times: string[]): boolean[] {
  const duty = onDuty(given)
  return times.map(time => duty(Date.parse(`${time}Z`)))
}

describe('onDuty', () => {
  it('is always true without a schedule', () => {
    expect(onDuty(undefined)(0)).toBe(true)
  })

  it('includes the start of a window and not its end', () => {
    const given = schedule('UTC', all('08:00', '17:30'))
    expect(
      asked(
        given,
        '2026-03-02T07:59:59.999',
        '2026-03-02T08:00',
        '2026-03-02T17:29:59.999',
        '2026-03-02T17:30',
      ),
    ).toEqual([false, true, true, false])
  })

  it('takes a window over midnight for the day on which it begins', () => {
    const given = schedule('UTC', { days: ['fri'], from: '22:00', to: '06:00' })
    // 2026-03-06 is a Friday.
    expect(
      asked(
        given,
        '2026-03-06T05:00',
        '2026-03-06T22:00',
        '2026-03-07T05:59',
        '2026-03-07T06:00',
        '2026-03-07T22:30',
      ),
    ).toEqual([false, true, true, false, false])
  })

  it('wraps from Sunday to Monday', () => {
    const given = schedule('UTC', { days: ['sun'], from: '20:00', to: '04:00' })
    expect(
      asked(given, '2026-03-08T21:00', '2026-03-09T03:59', '2026-03-09T04:00', '2026-03-09T21:00'),
    ).toEqual([true, true, false, false])
  })

  it('takes equal times for a whole day from then on', () => {
    const day = schedule('UTC', { days: ['mon'], from: '00:00', to: '00:00' })
    expect(
      asked(day, '2026-03-01T23:59', '2026-03-02T00:00', '2026-03-02T23:59', '2026-03-03T00:00'),
    ).toEqual([false, true, true, false])
    const shifted = schedule('UTC', { days: ['mon'], from: '08:00', to: '08:00' })
    expect(
      asked(shifted, '2026-03-02T07:59', '2026-03-02T08:00', '2026-03-03T07:59', '2026-03-03T08:00'),
    ).toEqual([false, true, true, false])
  })

  // Clocks go forward at 01:00 UTC on 2026-03-29 and back at 01:00 UTC on 2026-10-25.
  it('keeps local time over the changes in Berlin', () => {
    const night = schedule('Europe/Berlin', all('22:00', '06:00'))
    expect(
      asked(night, '2026-03-28T20:59', '2026-03-28T21:00', '2026-03-29T03:59', '2026-03-29T04:00'),
    ).toEqual([false, true, true, false])
    expect(
      asked(night, '2026-10-24T19:59', '2026-10-24T20:00', '2026-10-25T04:59', '2026-10-25T05:00'),
    ).toEqual([false, true, true, false])
    const skipped = schedule('Europe/Berlin', all('02:15', '02:45'))
    const minutes = Array.from({ length: 24 * 60 }, (_, i) => Date.parse('2026-03-28T23:00Z') + i * 60_000)
    expect(minutes.some(onDuty(skipped))).toBe(false)
    expect(asked(skipped, '2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30')).toEqual([
      true,
      true,
      false,
    ])
  })

  // Forward at 07:00 UTC on 2026-03-08, back at 06:00 UTC on 2026-11-01.
  it('keeps local time over the changes in New York', () => {
    const office = schedule('America/New_York', all('09:00', '17:00'))
    expect(
      asked(office, '2026-03-07T13:59', '2026-03-07T14:00', '2026-03-08T12:59', '2026-03-08T13:00'),
    ).toEqual([false, true, false, true])
    expect(
      asked(office, '2026-10-31T13:00', '2026-11-01T13:59', '2026-11-01T14:00', '2026-11-01T21:59'),
    ).toEqual([true, false, true, true])
  })

  it.each([
    // UTC+5:30, UTC+5:45, and one that changes by half an hour (+10:30, +11 in summer).
    ['Asia/Kolkata', '2026-03-02T03:29', '2026-03-02T03:30'],
    ['Asia/Kathmandu', '2026-03-02T03:14', '2026-03-02T03:15'],
    ['Australia/Lord_Howe', '2026-07-01T22:29', '2026-07-01T22:30'],
    ['Australia/Lord_Howe', '2026-01-01T21:59', '2026-01-01T22:00'],
  ])('knows the half hours of %s', (zone, before, at) => {
    expect(asked(schedule(zone, all('09:00', '10:00')), before, at)).toEqual([false, true])
  })

  it('says the same whatever it was asked before, and shared with others', () => {
    const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC')
    const time = fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
      .map(parts => parts.map(part => String(part).padStart(2, '0')).join(':'))
    const days = fc.subarray([...DAYS], { minLength: 1 })
    const given = fc.record({
      timeZone: zone,
      windows: fc.array(fc.record({ days, from: time, to: time }), { minLength: 1, maxLength: 4 }),
    })
    const year = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) })
    fc.assert(
      fc.property(given, given, fc.array(year, { maxLength: 8 }), (one, other, times) => {
        const shared = new LocalTimes()
        const [first, second] = [onDuty(one, shared), onDuty(other, shared)]
        for (const at of times) {
          expect(first(at)).toBe(onDuty(one)(at))
          expect(second(at)).toBe(onDuty(other)(at))
        }
      }),
      { numRuns: 50 },
    )
  })

  it('costs next to nothing within a minute', () => {
    const duty = onDuty(schedule('Europe/Berlin', all('22:00', '06:00')))
    const at = Date.parse('2026-03-02T03:29:00Z')
    const asks = (count: number, stepMs: number) => {
      const before = process.cpuUsage()
      for (let i = 0; i < count; i++) duty(at + i * stepMs)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / count
    }
    asks(1000, 60_000)
    // Microseconds of CPU, minute after minute and within one: a ratio, since machines differ.
    expect(asks(60_000, 1) * 5).toBeLessThan(asks(3000, 60_000))
  })

  it('knows which time zones there are', () => {
    expect(['UTC', 'Europe/Berlin', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false])
    expect(() => onDuty(schedule('Mars/Olympus', all('00:00', '00:00')))(0)).toThrow(RangeError)
  })
})
