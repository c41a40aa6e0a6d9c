import { readFile } from 'node:fs/promises'
import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import { fault } from './errors.ts'
import { faultLines, type SchemaFault, schemaFaults } from './schema.ts'

export interface ConfigSource<T extends TObject> {
  readonly schema: T
  /** YAML file; without it the defaults and the environment alone. */
  readonly file?: string | undefined
  /** Environment variable -> dotted path of the setting that it overrides. */
  readonly environment: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** What file and environment are laid over, in place of the schema's defaults. */
  readonly base?: Readonly<Record<string, unknown>>
}

/**
 * Reads, overrides from the environment, fills defaults, checks and freezes. All faults are reported at once, by path.
 * @throws CONFIG_UNREADABLE when the file cannot be read or parsed; CONFIG_INVALID with every fault in `details.faults`.
 */
export async function loadConfig<T extends TObject>(source: ConfigSource<T>): Promise<Static<T>> {
  const document = source.file === undefined ? {} : await readDocument(source.file)
  for (const [name, path] of Object.entries(source.environment)) {
    const text = source.env[name]
    if (text !== undefined && text !== '') setPath(document, path.split('.'), scalar(text))
  }
  const whole = source.base === undefined ? document : layered(source.base, document)
  return checkConfig(source.schema, whole, source.file ?? 'environment and defaults')
}

/** `over` laid over `under`: mappings member by member, everything else, lists too, as a whole. Changes neither. */
export function layered(
  under: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(under, key) ? under[key] : undefined
    const merged = isMapping(below) && isMapping(value) ? layered(below, value) : value
    // Not by assignment: `__proto__` is a name like any other here.
    Object.defineProperty(result, key, {
      value: merged,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return result
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The checking half of `loadConfig`, for documents that arrive by other ways (remote configuration). */
export function checkConfig<T extends TObject>(schema: T, document: unknown, origin: string): Static<T> {
  const filled = Value.Default(schema, structuredClone(document))
  const faults: SchemaFault[] = schemaFaults(schema, filled)
  if (faults.length > 0) {
    throw fault('CONFIG_INVALID', `${faults.length} fault(s) in ${origin}:\n${faultLines(faults)}`, {
      details: { faults },
    })
  }
  return deepFreeze(filled as Static<T>)
}

async function readDocument(file: string): Promise<Record<string, unknown>> {
  let document: unknown
  try {
    document = parse(await readFile(file, 'utf8')) ?? {}
  } catch (cause) {
    throw fault('CONFIG_UNREADABLE', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw fault('CONFIG_UNREADABLE', `${file} must hold a mapping, not a list or a bare value`)
  }
  return document as Record<string, unknown>
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) {
    target[head] = value
    return
  }
  const next = target[head]
  const child = typeof next === 'object' && next !== null ? (next as Record<string, unknown>) : {}
  target[head] = child
  setPath(child, rest, value)
}

/** Environment variables are text; numbers and booleans are read as such, everything else stays text. */
function scalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
