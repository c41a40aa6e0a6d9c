import { type Schedule, WEEKDAYS } from '../protocol/rules.ts'

interface LocalTime {
  /** Index into WEEKDAYS. */
  readonly day: number
  /** Since local midnight. */
  readonly minutes: number
}

const DAYS = WEEKDAYS.length
const MINUTE_MS = 60_000

/** Whether the runtime knows an IANA time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Local times of many rules: one formatter per zone, asked once a minute. Made for one set of rules, which bounds it. */
export class LocalTimes {
  readonly #zones = new Map<string, (minute: number) => LocalTime>()

  /**
   * @param minute since the epoch
   * @throws RangeError for a time zone that the runtime does not know
   */
  at(timeZone: string, minute: number): LocalTime {
    let zone = this.#zones.get(timeZone)
    if (zone === undefined) {
      zone = perMinute(localTimeIn(timeZone))
      this.#zones.set(timeZone, zone)
    }
    return zone(minute)
  }
}

/**
 * Turns a schedule into the question whether a rule is on duty at a time (milliseconds since the epoch). A window
 * whose end is at or before its start ends on the next day, in local time whatever the clock changes in between: a
 * local time that a change skips never comes, one that it repeats comes twice.
 *
 * Cheap enough for every frame: windows begin and end at whole minutes, and so do all zones of today, so an answer
 * holds for its minute.
 * @param times shared by the schedules of one set of rules
 * @throws RangeError when asked, for a time zone that the runtime does not know; see `isTimeZone`.
 */
export function onDuty(
  schedule: Schedule | undefined,
  times: LocalTimes = new LocalTimes(),
): (at: number) => boolean {
  if (schedule === undefined) return () => true
  const windows = schedule.windows.map(({ days, from, to }) => ({
    days: new Set(days.map(day => WEEKDAYS.indexOf(day))),
    from: minutesOf(from),
    to: minutesOf(to),
  }))
  const duty = perMinute(minute => {
    const { day, minutes } = times.at(schedule.timeZone, minute)
    const yesterday = (day + DAYS - 1) % DAYS
    return windows.some(({ days, from, to }) =>
      from < to
        ? days.has(day) && minutes >= from && minutes < to
        : (days.has(day) && minutes >= from) || (days.has(yesterday) && minutes < to),
    )
  })
  return at => duty(Math.floor(at / MINUTE_MS))
}

/** Remembers the answer for the last minute that was asked for. */
function perMinute<T>(answer: (minute: number) => T): (minute: number) => T {
  let last: { readonly minute: number; readonly value: T } | undefined
  return minute => {
    if (last?.minute !== minute) last = { minute, value: answer(minute) }
    return last.value
  }
}

function localTimeIn(timeZone: string): (minute: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  return minute => {
    const parts = new Map(format.formatToParts(minute * MINUTE_MS).map(({ type, value }) => [type, value]))
    const weekday = parts.get('weekday')!.toLowerCase()
    const day = (WEEKDAYS as readonly string[]).indexOf(weekday)
    return { day, minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) }
  }
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number)
  return hours! * 60 + minutes!
}
