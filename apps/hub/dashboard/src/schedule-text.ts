import type { Rule } from './api-types.ts'

type Schedule = NonNullable<Rule['schedule']>
type Window = Schedule['windows'][number]
type Day = Window['days'][number]

const DAYS: readonly Day[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Windows as lines: "mon-fri 08:00-18:00", "sat,sun 22:00-06:00", "daily 00:00-24:00". */
export function windowsText(windows: readonly Window[]): string {
  return windows.map(({ days, from, to }) => `${daysText(days)} ${from}-${to}`).join('\n')
}

/** Undefined when a line says something else. Blank lines are passed over. */
export function readWindows(text: string): Window[] | undefined {
  const windows: Window[] = []
  for (const line of text.toLowerCase().split('\n')) {
    if (line.trim() === '') continue
    const match = /^\s*([a-z,\s-]+?)\s+(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})\s*$/.exec(line)
    const days = match === null ? undefined : readDays(match[1]!)
    const from = clockTime(match?.[2])
    const to = match?.[3] === '24:00' ? '00:00' : clockTime(match?.[3])
    if (days === undefined || from === undefined || to === undefined) return undefined
    windows.push({ days, from, to })
  }
  return windows
}

function daysText(days: readonly Day[]): string {
  const at = DAYS.filter(day => days.includes(day)).map(day => DAYS.indexOf(day))
  if (at.length === DAYS.length) return 'daily'
  const [first, last] = [at[0]!, at.at(-1)!]
  const inARow = at.length > 2 && last - first === at.length - 1
  return inARow ? `${DAYS[first]}-${DAYS[last]}` : at.map(day => DAYS[day]).join(',')
}

function readDays(text: string): Day[] | undefined {
  if (text.trim() === 'daily') return [...DAYS]
  const days = new Set<Day>()
  for (const part of text.split(/[,\s]+/)) {
    const [first, last = first] = part.split('-').map(name => DAYS.indexOf(name as Day))
    if (first === undefined || last === undefined || first < 0 || last < 0) return undefined
    // "fri-mon" goes over the end of the week.
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      days.add(DAYS[day]!)
      if (day === last) break
    }
  }
  return DAYS.filter(day => days.has(day))
}

function clockTime(text: string | undefined): string | undefined {
  const [hours, minutes] = (text ?? '').split(':').map(Number)
  if (hours === undefined || minutes === undefined || !(hours < 24) || !(minutes < 60)) return undefined
  return `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
}
