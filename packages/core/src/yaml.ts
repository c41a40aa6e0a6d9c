import { parse, stringify } from 'yaml'
import { fault, messageOf } from './errors.ts'

/** A YAML 1.2 document; JSON is one too. @throws PAYLOAD_INVALID with line and column */
export function parseYaml(text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw fault('PAYLOAD_INVALID', `not YAML: ${messageOf(cause)}`, { cause })
  }
}

/** Without anchors, which make a document hard to edit. */
export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 110, aliasDuplicateObjects: false })
}
