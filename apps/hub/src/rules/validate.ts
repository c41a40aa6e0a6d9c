import { fault, faultLines, isFault, Rule, type SchemaFault, schemaFaults } from '@sightline/core'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Rules = Type.Object({ rules: Type.Array(Rule, { maxItems: 10_000 }) })

/** Texts that one bundle may make the hub embed: prompts times templates. */
const MAX_TEXTS = 50_000

export interface PromptCheck {
  /** Whether a text is embedded whole, or cut at the context length of the model; undefined: nobody can tell. */
  readonly fitsContext?: ((text: string) => boolean) | undefined
}

/**
 * The rules with their defaults filled in.
 * @throws RULES_INVALID listing every fault by its path, `rules.2.off`; `details.faults` has them as path and message.
 */
export function validateRules(given: unknown, check: PromptCheck = {}): Rule[] {
  const document = Value.Default(Rules, structuredClone({ rules: given })) as { rules: Rule[] }
  const faults = schemaFaults(Rules, document)
  // The rest assumes the shape that the schema promises.
  if (faults.length === 0) faults.push(...meaningFaults(document.rules, check))
  if (faults.length > 0) throw fault('RULES_INVALID', faultLines(faults), { details: { faults } })
  return document.rules
}

/** As `validateRules` for one rule; paths are like `rule.off`. @throws RULES_INVALID */
export function validateRule(given: unknown, check: PromptCheck = {}): Rule {
  try {
    return validateRules([given], check)[0]!
  } catch (error) {
    if (!isFault(error, 'RULES_INVALID')) throw error
    const faults = (error.details.faults as SchemaFault[]).map(({ path, message }) => ({
      path: path.replace(/^rules\.0/, 'rule'),
      message,
    }))
    throw fault('RULES_INVALID', faultLines(faults), { details: { faults } })
  }
}

function meaningFaults(rules: readonly Rule[], { fitsContext }: PromptCheck): SchemaFault[] {
  const faults: SchemaFault[] = []
  const seen = new Map<string, number>()
  let texts = 0
  for (const [at, rule] of rules.entries()) {
    const note = (path: string, message: string) => faults.push({ path: `rules.${at}.${path}`, message })
    const first = seen.get(rule.id)
    if (first !== undefined) note('id', `${rule.id} is already the id of rules.${first}`)
    else seen.set(rule.id, at)
    if (rule.off > rule.on) note('off', `must not be above on (${rule.on}), or the rule could never let go`)
    for (const kind of ['positives', 'negatives'] as const) {
      for (const [i, prompt] of rule[kind].entries()) {
        texts += rule.templates.length
        if (prompt.trim() === '') note(`${kind}.${i}`, 'must not be blank')
        else if (fitsContext !== undefined && !withTemplates(rule, prompt).every(fitsContext))
          note(`${kind}.${i}`, 'is longer than the model reads; shorten it or its templates')
      }
    }
  }
  if (texts > MAX_TEXTS)
    faults.push({ path: 'rules', message: `${texts} texts to embed; the limit is ${MAX_TEXTS}` })
  return faults
}

/** The prompt in each of the rule's templates. */
export function withTemplates({ templates }: Pick<Rule, 'templates'>, prompt: string): string[] {
  return templates.map(template => template.replaceAll('{}', () => prompt))
}

export interface RuleWarning {
  /** Id of the rule. */
  readonly rule: string
  readonly message: string
}

/** One warning for each concept that a rule looks for and that the model was seen to get wrong. */
export function cannotWarnings(rules: readonly Rule[], cannot: readonly string[]): RuleWarning[] {
  return rules.flatMap(rule =>
    cannot
      .filter(concept => rule.positives.some(prompt => mentions(prompt, concept)))
      .map(concept => ({
        rule: rule.id,
        message: `The model in use does not recognise "${concept}" reliably; expect wrong and missed incidents.`,
      })),
  )
}

/** As whole words, in the singular or the plural: "knife" in "two knives", not "gun" in "begun". */
function mentions(prompt: string, concept: string): boolean {
  const word = concept.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const plural = word.endsWith('fe')
    ? `${word.slice(0, -2)}ves`
    : word.endsWith('y')
      ? `${word.slice(0, -1)}ies`
      : `${word}e?s`
  return new RegExp(`\\b(?:${word}|${plural})\\b`).test(prompt.toLowerCase())
}
