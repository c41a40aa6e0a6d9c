/** Figures and times as people read them. The page is in English, so its numbers are too. */

const LOCALE = 'en-GB'
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const dateOnly = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'short', year: 'numeric' })
/** With its zone: whoever reads it aloud may sit in another. */
const dateAndTime = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'long' })
const whole = new Intl.NumberFormat(LOCALE)

/** "12 s ago", "4 min ago", "3 h ago", "2 d ago", then the date. Small clock differences read as "just now". */
export function relativeTime(iso: string, now: number): string {
  const at = Date.parse(iso)
  if (Number.isNaN(at)) return 'unknown'
  const age = now - at
  if (Math.abs(age) < 5 * SECOND) return 'just now'
  const text = span(Math.abs(age))
  if (text === undefined) return dateOnly.format(at)
  return age < 0 ? `in ${text}` : `${text} ago`
}

function span(millis: number): string | undefined {
  if (millis < MINUTE) return `${Math.floor(millis / SECOND)} s`
  if (millis < HOUR) return `${Math.floor(millis / MINUTE)} min`
  if (millis < DAY) return `${Math.floor(millis / HOUR)} h`
  if (millis < 7 * DAY) return `${Math.floor(millis / DAY)} d`
  return undefined
}

export function absoluteTime(iso: string): string {
  const at = Date.parse(iso)
  return Number.isNaN(at) ? 'unknown time' : dateAndTime.format(at)
}

/** "45 s", "3 min 10 s", "2 h 5 min", "4 d 1 h". */
export function duration(millis: number): string {
  const clamped = Math.max(0, millis)
  const steps: [number, string, number, string][] = [
    [DAY, 'd', HOUR, 'h'],
    [HOUR, 'h', MINUTE, 'min'],
    [MINUTE, 'min', SECOND, 's'],
  ]
  for (const [big, bigName, small, smallName] of steps) {
    if (clamped < big) continue
    const rest = Math.floor((clamped % big) / small)
    return `${Math.floor(clamped / big)} ${bigName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
  }
  return `${Math.floor(clamped / SECOND)} s`
}

/** A probability: never shown as certain unless it is. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 0.01) return '<1%'
  if (probability > 0.99 && probability < 1) return '>99%'
  return `${Math.round(probability * 100)}%`
}

export function count(value: number): string {
  return whole.format(value)
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** With a full stop, where another sentence follows: the hub's messages end without. */
export function sentence(text: string): string {
  return /[.!?:…]$/.test(text) ? text : `${text}.`
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  // As it is rounded: 1000 KB is 1.0 MB.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 || size >= 9.95 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** Things per second, or per minute where they are rare: "25/s", "2.1/s", "0.5/s", "3/min". */
export function rate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.1) return `${decimal(perSecond * 60)}/min`
  return `${decimal(perSecond)}/s`
}

function decimal(value: number): string {
  return value < 10 ? String(Number(value.toFixed(1))) : String(Math.round(value))
}

/** A duration in milliseconds that a machine measured: "8.4 ms", "120 ms", "1.3 s". */
export function millis(value: number): string {
  if (value >= 999.5) return `${(value / 1000).toFixed(1)} s`
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ms`
}
