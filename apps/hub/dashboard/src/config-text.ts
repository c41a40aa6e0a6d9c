import type { Settings } from './fleet-api.ts'

export type ReadSettings = { readonly settings: Settings } | { readonly fault: string }

/** Settings as they are edited: JSON. */
export function settingsText(settings: Settings): string {
  return JSON.stringify(settings, null, 2)
}

export function readSettings(text: string): ReadSettings {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { fault: `Not JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
  return isMapping(value)
    ? { settings: value }
    : { fault: 'Settings are a mapping: {"log": {"level": "debug"}}.' }
}

export interface SettingDifference {
  /** `log.level`. */
  readonly path: string
  readonly desired: string
  /** Undefined: the device says nothing of it. */
  readonly reported: string | undefined
}

/** What is desired and not in force. Mappings are compared member by member, lists as a whole, as the device merges them. */
export function differences(desired: Settings, reported: Settings, under = ''): SettingDifference[] {
  return Object.entries(desired).flatMap(([name, value]) => {
    const path = `${under}${name}`
    const other = Object.hasOwn(reported, name) ? reported[name] : undefined
    if (isMapping(value) && isMapping(other)) return differences(value, other, `${path}.`)
    if (covers(value, other)) return []
    return [
      {
        path,
        desired: JSON.stringify(value),
        reported: other === undefined ? undefined : JSON.stringify(other),
      },
    ]
  })
}

/** A device reports its settings with the defaults filled in. */
function covers(desired: unknown, reported: unknown): boolean {
  if (Array.isArray(desired)) {
    return (
      Array.isArray(reported) &&
      desired.length === reported.length &&
      desired.every((value, index) => covers(value, reported[index]))
    )
  }
  if (!isMapping(desired)) return desired === reported
  return (
    isMapping(reported) &&
    Object.entries(desired).every(
      ([name, value]) => Object.hasOwn(reported, name) && covers(value, reported[name]),
    )
  )
}

function isMapping(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
