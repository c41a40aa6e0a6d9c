import { fault, faultLines, isFault, Rule, schemaFaults } from '@sightline/core'
import { parseYaml, printYaml, type YamlPlace, yamlPlaces } from '@sightline/core/yaml.js'
import { type Static, Type } from 'typebox'
import type { RuleDocument } from '../store/record-store.ts'

/** Largest document of rules that is read, JSON or YAML: ten thousand rules of some 800 bytes. */
export const MAX_RULES_BYTES = 8 * 2 ** 20

/** Rules as a file. */
export const RulesFile = Type.Object(
  {
    version: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Version that the change was made from; refused when the rules have changed since.',
      }),
    ),
    rules: Type.Array(Rule, { maxItems: 10_000 }),
  },
  { additionalProperties: false, $id: 'sightline:rules', title: 'Rules' },
)

/** The rules themselves are checked by the rule desk, which names every fault by its path. */
const Outline = Type.Object(
  { version: RulesFile.properties.version, rules: Type.Array(Type.Unknown(), { maxItems: 10_000 }) },
  { additionalProperties: false },
)
export type RulesOutline = Static<typeof Outline>

/** YAML or JSON; a bare list of rules is taken as one, too. @throws RULES_INVALID with line and column, or by path */
export function readRulesFile(text: string): RulesOutline {
  let document: unknown
  try {
    document = parseYaml(text)
  } catch (cause) {
    if (!isFault(cause)) throw cause
    throw fault('RULES_INVALID', cause.message, { cause, details: { faults: [] } })
  }
  const given = Array.isArray(document) ? { rules: document } : document
  const faults = schemaFaults(Outline, given)
  if (faults.length > 0) throw fault('RULES_INVALID', faultLines(faults), { details: { faults } })
  return given as RulesOutline
}

/** Where in a file that `readRulesFile` took the value at a path such as `rules.2.off` stands. */
export function placesInRulesFile(text: string): (path: string) => YamlPlace {
  const places = yamlPlaces(text)
  return path => places.of(path.split('.').slice(places.isList ? 1 : 0))
}

/** As a file that `readRulesFile` takes; without a version it may be put on top of any. */
export function writeRulesFile({
  version,
  rules,
}: Pick<RuleDocument, 'rules'> & Partial<Pick<RuleDocument, 'version'>>): string {
  return printYaml(version === undefined ? { rules } : { version, rules })
}
