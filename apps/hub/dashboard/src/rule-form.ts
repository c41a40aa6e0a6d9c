import type { Rule, Severity } from './api-types.ts'
import { readWindows, windowsText } from './schedule-text.ts'

/** A rule as the form holds it: every field as text, prompts one per line. Limits are those of the rule schema. */
export interface RuleForm {
  readonly id: string
  readonly name: string
  readonly category: string
  readonly severity: Severity
  readonly enabled: boolean
  readonly positives: string
  readonly negatives: string
  readonly templates: string
  readonly on: string
  readonly off: string
  readonly minSimilarity: string
  readonly minFrames: string
  readonly offDelaySeconds: string
  readonly cooldownSeconds: string
  readonly cameras: string
  /** Empty: no review band. */
  readonly reviewAt: string
  readonly minExampleSimilarity: string
  readonly windowSeconds: string
  readonly positiveExamples: string
  readonly negativeExamples: string
  readonly sites: string
  readonly groups: string
  readonly actions: string
  readonly timeZone: string
  /** Lines like "mon-fri 08:00-18:00"; empty: always on duty. */
  readonly schedule: string
}

export type RuleField = keyof RuleForm
export type FormFaults = Readonly<Partial<Record<RuleField, string>>>

export const SEVERITIES: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical']

export const NEW_RULE: RuleForm = {
  id: '',
  name: '',
  category: 'general',
  severity: 'medium',
  enabled: true,
  positives: '',
  negatives: '',
  templates: '{}',
  on: '0.7',
  off: '0.5',
  minSimilarity: '0.1',
  minFrames: '1',
  offDelaySeconds: '0',
  cooldownSeconds: '0',
  cameras: '*',
  reviewAt: '',
  minExampleSimilarity: '0.8',
  windowSeconds: '0',
  positiveExamples: '',
  negativeExamples: '',
  sites: '*',
  groups: '*',
  actions: '',
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  schedule: '',
}

export function formOf(rule: Rule): RuleForm {
  return {
    id: rule.id,
    name: rule.name,
    category: rule.category,
    severity: rule.severity,
    enabled: rule.enabled,
    positives: rule.positives.join('\n'),
    negatives: rule.negatives.join('\n'),
    templates: rule.templates.join('\n'),
    on: String(rule.on),
    off: String(rule.off),
    minSimilarity: String(rule.minSimilarity),
    minFrames: String(rule.minFrames),
    offDelaySeconds: String(rule.offDelaySeconds),
    cooldownSeconds: String(rule.cooldownSeconds),
    cameras: rule.cameras.join('\n'),
    reviewAt: rule.reviewAt === undefined ? '' : String(rule.reviewAt),
    minExampleSimilarity: String(rule.minExampleSimilarity),
    windowSeconds: String(rule.windowSeconds),
    positiveExamples: rule.positiveExamples.join('\n'),
    negativeExamples: rule.negativeExamples.join('\n'),
    sites: rule.sites.join('\n'),
    groups: rule.groups.join('\n'),
    actions: rule.actions.join('\n'),
    timeZone: rule.schedule?.timeZone ?? NEW_RULE.timeZone,
    schedule: windowsText(rule.schedule?.windows ?? []),
  }
}

/** `Person at the Gate!` -> `person-at-the-gate`. */
export function idFrom(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
    .replace(/-+$/, '')
}

/** The rule that the form describes, and what is wrong with it, by field. */
export function readForm(form: RuleForm, takenIds: readonly string[]): { rule: Rule; faults: FormFaults } {
  const windows = readWindows(form.schedule)
  const rule: Rule = {
    id: form.id.trim(),
    name: form.name.trim(),
    category: form.category.trim(),
    severity: form.severity,
    enabled: form.enabled,
    positives: lines(form.positives),
    negatives: lines(form.negatives),
    templates: lines(form.templates),
    on: number(form.on),
    off: number(form.off),
    minSimilarity: number(form.minSimilarity),
    minFrames: number(form.minFrames),
    offDelaySeconds: number(form.offDelaySeconds),
    cooldownSeconds: number(form.cooldownSeconds),
    cameras: lines(form.cameras),
    minExampleSimilarity: number(form.minExampleSimilarity),
    windowSeconds: number(form.windowSeconds),
    positiveExamples: lines(form.positiveExamples),
    negativeExamples: lines(form.negativeExamples),
    sites: lines(form.sites),
    groups: lines(form.groups),
    actions: lines(form.actions),
    ...(form.reviewAt.trim() === '' ? {} : { reviewAt: number(form.reviewAt) }),
    ...(windows === undefined || windows.length === 0
      ? {}
      : { schedule: { timeZone: form.timeZone.trim(), windows } }),
  }
  const faults = faultsOf(rule, takenIds)
  if (windows !== undefined) return { rule, faults }
  return {
    rule,
    faults: { ...faults, schedule: 'Write lines like “mon-fri 08:00-18:00” or “daily 22:00-06:00”.' },
  }
}

function faultsOf(rule: Rule, takenIds: readonly string[]): FormFaults {
  const faults: Partial<Record<RuleField, string>> = {}
  const check = (field: RuleField, good: boolean, message: string) => {
    if (!good) faults[field] ??= message
  }
  const between = (field: RuleField, value: number, low: number, high: number) =>
    check(field, value >= low && value <= high, `Give a number from ${low} to ${high}.`)
  const list = (field: RuleField, values: readonly string[], least: number, most: number, length: number) => {
    check(field, values.length >= least, 'Give at least one, each on its own line.')
    check(field, values.length <= most, `No more than ${most}.`)
    check(
      field,
      values.every(value => value.length <= length),
      `Keep each under ${length} characters.`,
    )
  }

  check('name', rule.name !== '', 'Give the rule a name.')
  check('name', rule.name.length <= 120, 'Keep the name under 120 characters.')
  check('id', /^[a-z0-9][a-z0-9-]{0,63}$/.test(rule.id), 'Use small letters, digits and hyphens.')
  check('id', !takenIds.includes(rule.id), 'Another rule has this id.')
  check(
    'category',
    rule.category.length <= 120 && /^[a-z0-9-]+(\/[a-z0-9-]+)*$/.test(rule.category),
    'Use small letters, digits and hyphens, with / between levels.',
  )
  list('positives', rule.positives, 1, 64, 1000)
  list('negatives', rule.negatives, 0, 64, 1000)
  list('templates', rule.templates, 1, 100, 200)
  check(
    'templates',
    rule.templates.every(text => text.includes('{}')),
    'Each template needs {} for the prompt.',
  )
  for (const field of ['cameras', 'sites', 'groups'] as const) list(field, rule[field], 1, 64, 130)
  list('actions', rule.actions, 0, 16, 64)
  for (const field of ['positiveExamples', 'negativeExamples'] as const) list(field, rule[field], 0, 64, 260)
  check(
    'reviewAt',
    rule.reviewAt === undefined || (rule.reviewAt > 0 && rule.reviewAt < rule.on),
    'Give a number above 0 and below the score at which it fires.',
  )
  check('timeZone', isTimeZone(rule.schedule?.timeZone), 'Name a time zone like Europe/Berlin.')
  between('minExampleSimilarity', rule.minExampleSimilarity, -1, 1)
  between('windowSeconds', rule.windowSeconds, 0, 86_400)
  check('on', rule.on > 0 && rule.on <= 1, 'Give a number above 0, up to 1.')
  between('off', rule.off, 0, 1)
  check(
    'off',
    faults.on !== undefined || !(rule.off > rule.on),
    'It must not let go above the score at which it fires.',
  )
  between('minSimilarity', rule.minSimilarity, -1, 1)
  check('minFrames', Number.isInteger(rule.minFrames), 'Give a whole number.')
  between('minFrames', rule.minFrames, 1, 1000)
  between('offDelaySeconds', rule.offDelaySeconds, 0, 86_400)
  between('cooldownSeconds', rule.cooldownSeconds, 0, 86_400)
  return faults
}

function isTimeZone(name: string | undefined): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** The hub's faults (`rules.3.on: must be <= 1`, one a line) for the rule at `index`, by field. */
export function faultsFromHub(message: string, index: number): FormFaults {
  const faults: Partial<Record<RuleField, string>> = {}
  for (const line of message.split('\n')) {
    const [, position, field, text] = /^\s*(?:rules\.)?(\d+)\.([a-zA-Z]+)(?:\.\d+)*: (.+)$/.exec(line) ?? []
    if (Number(position) === index && field !== undefined && Object.hasOwn(NEW_RULE, field)) {
      faults[field as RuleField] ??= text ?? ''
    }
  }
  return faults
}

/** Concepts that the model gets wrong and that the rule looks for, as whole words, singular or plural. */
export function unableConcepts({ positives }: RuleForm, cannot: readonly string[]): string[] {
  const prompts = lines(positives).map(stems)
  return cannot.filter(concept => prompts.some(prompt => ` ${prompt} `.includes(` ${stems(concept)} `)))
}

function stems(text: string): string {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(stem).join(' ')
}

function stem(word: string): string {
  if (/(?:ss|x|ch|sh)es$/.test(word)) return word.slice(0, -2)
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`
  if (word.endsWith('ives')) return `${word.slice(0, -3)}fe`
  return /[^s]s$/.test(word) ? word.slice(0, -1) : word
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}

function number(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text)
}
