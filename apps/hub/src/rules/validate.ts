import { fault, faultLines, isFault, Rule, type SchemaFault, schemaFaults } from '@sightline/core'
import { audienceWarnings, type FleetPlace, fleetNames } from '@sightline/core/moderation/audience.js'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type RuleCheck, ruleFaults } from './rule-faults.ts'

export { withTemplates } from './rule-faults.ts'

const Rules = Type.Object({ rules: Type.Array(Rule, { maxItems: 10_000 }) })

/** Texts that one bundle may make the hub embed: prompts times templates. */
const MAX_TEXTS = 50_000

/**
 * The rules with their defaults filled in.
 * @throws RULES_INVALID listing every fault by its path, `rules.2.off`; `details.faults` has them as path and message.
 */
export function validateRules(given: unknown, check: RuleCheck = {}): Rule[] {
  const document = Value.Default(Rules, structuredClone({ rules: given })) as { rules: Rule[] }
  const faults = schemaFaults(Rules, document).map(inWords)
  // The rest assumes the shape that the schema promises.
  if (faults.length === 0) faults.push(...meaningFaults(document.rules, check))
  if (faults.length > 0) throw fault('RULES_INVALID', faultLines(faults), { details: { faults } })
  return document.rules
}

/** Rules that an earlier hub kept, with what has been added to a rule since. */
export function withDefaults(rules: readonly Rule[]): Rule[] {
  return (Value.Default(Rules, structuredClone({ rules })) as { rules: Rule[] }).rules
}

/** As `validateRules` for one rule; paths are like `rule.off`. @throws RULES_INVALID */
export function validateRule(given: unknown, check: RuleCheck = {}): Rule {
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

function meaningFaults(rules: readonly Rule[], check: RuleCheck): SchemaFault[] {
  const faults: SchemaFault[] = []
  const seen = new Map<string, number>()
  let texts = 0
  for (const [at, rule] of rules.entries()) {
    const first = seen.get(rule.id)
    if (first !== undefined)
      faults.push({ path: `rules.${at}.id`, message: `${rule.id} is already the id of rules.${first}` })
    else seen.set(rule.id, at)
    texts += rule.templates.length * (rule.positives.length + rule.negatives.length)
    for (const { path, message } of ruleFaults(rule, check))
      faults.push({ path: `rules.${at}.${path}`, message })
  }
  if (texts > MAX_TEXTS)
    faults.push({ path: 'rules', message: `${texts} texts to embed; the limit is ${MAX_TEXTS}` })
  return faults
}

/** Of the schema's faults, in words: a rule without a positive prompt is the commonest. */
function inWords({ path, message }: SchemaFault): SchemaFault {
  if (!/\.positives$/.test(path) || /must be array/.test(message)) return { path, message }
  const many = /more than/.test(message)
  return { path, message: many ? message : 'at least one prompt is needed: what the rule looks for' }
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

/** What `audienceWarnings` says of each rule. */
export function reachWarnings(rules: readonly Rule[], places: readonly FleetPlace[]): RuleWarning[] {
  const fleet = fleetNames(places)
  return rules.flatMap(rule => audienceWarnings(rule, fleet).map(message => ({ rule: rule.id, message })))
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
