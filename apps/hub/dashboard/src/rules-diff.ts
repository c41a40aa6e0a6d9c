import type { Rule } from './api-types.ts'
import { windowsText } from './schedule-text.ts'

/** What becomes of the rules in force when others take their place. */
export interface RulesDiff {
  readonly added: readonly Rule[]
  readonly changed: readonly ChangedRule[]
  readonly removed: readonly Rule[]
  readonly same: number
}

export interface ChangedRule {
  readonly rule: Rule
  readonly fields: readonly ChangedField[]
}

export interface ChangedField {
  readonly field: string
  /** In words; of a list only what goes and what comes. */
  readonly before: readonly string[]
  readonly after: readonly string[]
}

export function diffRules(before: readonly Rule[], after: readonly Rule[]): RulesDiff {
  const old = new Map(before.map(rule => [rule.id, rule]))
  const kept = new Set(after.map(({ id }) => id))
  const changed = after.flatMap(rule => {
    const was = old.get(rule.id)
    const fields = was === undefined ? [] : changedFields(was, rule)
    return fields.length === 0 ? [] : [{ rule, fields }]
  })
  const added = after.filter(({ id }) => !old.has(id))
  return {
    added,
    changed,
    removed: before.filter(({ id }) => !kept.has(id)),
    same: after.length - added.length - changed.length,
  }
}

export function isNoChange({ added, changed, removed }: RulesDiff): boolean {
  return added.length + changed.length + removed.length === 0
}

/** The given rules where rules of their ids stand, the others at the end; nothing is removed. */
export function putOnTop(rules: readonly Rule[], given: readonly Rule[]): Rule[] {
  const fresh = new Map(given.map(rule => [rule.id, rule]))
  const there = new Set(rules.map(({ id }) => id))
  return [...rules.map(rule => fresh.get(rule.id) ?? rule), ...given.filter(({ id }) => !there.has(id))]
}

function changedFields(before: Rule, after: Rule): ChangedField[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Rule>
  return [...names].flatMap(field => {
    const [was, is] = [wordsOf(before[field]), wordsOf(after[field])]
    if (was.join('\n') === is.join('\n')) return []
    const gone = was.filter(word => !is.includes(word))
    const come = is.filter(word => !was.includes(word))
    // The same things in another order.
    if (gone.length + come.length === 0) return [{ field, before: was, after: is }]
    return [{ field, before: gone, after: come }]
  })
}

function wordsOf(value: Rule[keyof Rule]): readonly string[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === 'object') return [...windowsText(value.windows).split('\n'), value.timeZone]
  return [String(value)]
}
