import { isNode, isSeq, LineCounter, parse, parseDocument, stringify } from 'yaml'
import { fault, messageOf } from './errors.ts'

/** A YAML 1.2 document; JSON is one too. @throws PAYLOAD_INVALID with line and column */
export function parseYaml(text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw fault('PAYLOAD_INVALID', `not YAML: ${messageOf(cause)}`, { cause })
  }
}

/** Both from 1. */
export interface YamlPlace {
  readonly line: number
  readonly column: number
}

export interface YamlPlaces {
  readonly isList: boolean
  /** Where the value stands; of one that is missing, where the innermost thing around it begins. */
  readonly of: (path: readonly string[]) => YamlPlace
}

/** Of a document that parses. */
export function yamlPlaces(text: string): YamlPlaces {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const of = (path: readonly string[]): YamlPlace => {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true)
      if (!isNode(node) || !node.range) continue
      const { line, col } = lines.linePos(node.range[0])
      return { line, column: col }
    }
    return { line: 1, column: 1 }
  }
  return { isList: isSeq(document.contents), of }
}

/** Without anchors, which make a document hard to edit. */
export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 110, aliasDuplicateObjects: false })
}
