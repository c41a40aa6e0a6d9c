import { type Schedule, WEEKDAYS } from '../protocol/rules.ts'

interface LocalTime {
  /** Index into WEEKDAYS. */
  readonly day: number
  /** Since local midnight. */
  readonly minutes: number
}

const DAYS = WEEKDAYS.length

/** Whether the runtime knows an IANA time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/**
 * Turns a schedule into the question whether a rule is on duty at a time (milliseconds since the epoch). A window
 * whose end is at or before its start ends on the next day, in local time whatever the clock changes in between.
 * @throws RangeError for a time zone that the runtime does not know; see `isTimeZone`.
 */
export function onDuty(schedule: Schedule | undefined): (at: number) => boolean {
  if (schedule === undefined) return () => true
  const localTime = localTimeIn(schedule.timeZone)
  const windows = schedule.windows.map(({ days, from, to }) => ({
    days: new Set(days.map(day => WEEKDAYS.indexOf(day))),
    from: minutesOf(from),
    to: minutesOf(to),
  }))
  return at => {
    const { day, minutes } = localTime(at)
    const yesterday = (day + DAYS - 1) % DAYS
    return windows.some(({ days, from, to }) =>
      from < to
        ? days.has(day) && minutes >= from && minutes < to
        : (days.has(day) && minutes >= from) || (days.has(yesterday) && minutes < to),
    )
  }
}

function localTimeIn(timeZone: string): (at: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  return at => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
    const day = WEEKDAYS.findIndex(name => name === parts.get('weekday')?.toLowerCase())
    return { day, minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) }
  }
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number)
  return hours! * 60 + minutes!
}
