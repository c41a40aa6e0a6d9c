import type { Static, TSchema } from 'typebox'
import { Settings } from 'typebox/system'
import { Value } from 'typebox/value'

/** The library stops at 8 by default; a document with more faults must not be mended in rounds. */
Settings.Set({ maxErrors: 1000 })

export interface SchemaFault {
  /** Dotted path of the faulty value; empty for the document itself. */
  readonly path: string
  readonly message: string
}

/** Every fault of `value` under `schema`, one per path, in reading order; empty when it conforms. */
export function schemaFaults(schema: TSchema, value: unknown): SchemaFault[] {
  const faults = new Map<string, string>()
  const note = (path: string, message: string) => {
    const known = faults.get(path)
    if (known === undefined) faults.set(path, message)
    else if (!known.includes(message)) faults.set(path, `${known}; ${message}`)
  }
  for (const error of Value.Errors(schema, value)) {
    const path = dotted(error.instancePath)
    const params = error.params as Record<string, unknown>
    if (error.keyword === 'additionalProperties') {
      for (const key of params.additionalProperties as string[]) note(join(path, key), 'unknown key')
    } else if (error.keyword === 'required') {
      for (const key of params.requiredProperties as string[]) note(join(path, key), 'is required')
    } else if (error.keyword === 'const') {
      note(path, `must be ${JSON.stringify(params.allowedValue)}`)
    } else if (error.keyword !== 'boolean' && error.keyword !== 'anyOf') {
      note(path, error.message)
    }
  }
  return [...faults].map(([path, message]) => ({ path, message }))
}

export function conforms<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  return Value.Check(schema, value)
}

/** One line per fault, for error messages. */
export function faultLines(faults: readonly SchemaFault[]): string {
  return faults.map(fault => `${fault.path || '(document)'}: ${fault.message}`).join('\n')
}

function dotted(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.')
}

function join(path: string, key: string): string {
  return path ? `${path}.${key}` : key
}
