import { createHash } from 'node:crypto'

/**
 * SHA-256, hex, of settings as canonical JSON (RFC 8785: keys sorted by UTF-16 code units, no white space), so that both
 * sides name the same settings alike whatever order they were written in.
 */
export function settingsHash(settings: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(canonicalJson(settings)).digest('hex')
}

/** For values that came from JSON. Members that are undefined are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(each => canonicalJson(each ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}
