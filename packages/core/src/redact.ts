import { redactUrl } from './log.ts'

/** Text without the credentials of the addresses in it. */
export function redactText(text: string): string {
  return redactUrl(text)
}

/** Every text in a JSON value likewise. */
export function redacted(value: unknown): unknown {
  return mapText(value, redactText)
}

/**
 * Puts back what `redacted` took out: a text that is the redacted form of one in `original` becomes that one again, so
 * that who edits what he was shown keeps the credentials that he was not.
 */
export function unredacted(value: unknown, original: unknown): unknown {
  const originals = new Map<string, string>()
  mapText(original, text => {
    originals.set(redactText(text), text)
    return text
  })
  return mapText(value, text => originals.get(text) ?? text)
}

function mapText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map(each => mapText(each, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mapText(member, change)]))
}
