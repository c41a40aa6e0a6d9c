import { NAME_PATTERN, type Rule, type SchemaFault } from '@sightline/core'
import { isTimeZone } from '@sightline/core/moderation/schedule.js'

/** Paths of the API that a rule's id would hide behind. */
const RESERVED = new Set([
  'backtest',
  'check',
  'examples',
  'history',
  'key',
  'learning',
  'targets',
  'versions',
])
const MAX_NAME = 64

export interface RuleCheck {
  /** Whether a text is embedded whole, or cut at the context length of the model; undefined: nobody can tell. */
  readonly fitsContext?: ((text: string) => boolean) | undefined
  /** Whether there is such an example or stored frame; undefined: nobody can tell. */
  readonly knowsExample?: ((id: string) => boolean) | undefined
}

/** What the schema cannot say of one rule; paths are relative to it. */
export function ruleFaults(rule: Rule, check: RuleCheck): SchemaFault[] {
  return [
    ...(RESERVED.has(rule.id) ? [{ path: 'id', message: `${rule.id} is reserved; choose another id` }] : []),
    ...thresholdFaults(rule),
    ...promptFaults(rule, check),
    ...exampleFaults(rule, check),
    ...audienceFaults(rule),
    ...scheduleFaults(rule),
  ]
}

function thresholdFaults({ on, off, reviewAt }: Rule): SchemaFault[] {
  const faults: SchemaFault[] = []
  if (off > on)
    faults.push({ path: 'off', message: `must not be above on (${on}), or the rule could never let go` })
  if (reviewAt !== undefined && reviewAt >= on)
    faults.push({ path: 'reviewAt', message: `must be below on (${on}): from there the rule fires` })
  return faults
}

function promptFaults(rule: Rule, { fitsContext }: RuleCheck): SchemaFault[] {
  return (['positives', 'negatives'] as const).flatMap(kind =>
    rule[kind].flatMap((prompt, i) => {
      const path = `${kind}.${i}`
      if (prompt.trim() === '') return [{ path, message: 'must not be blank' }]
      const fits = fitsContext === undefined || withTemplates(rule, prompt).every(fitsContext)
      return fits ? [] : [{ path, message: 'is longer than the model reads; shorten it or its templates' }]
    }),
  )
}

function exampleFaults(rule: Rule, { knowsExample }: RuleCheck): SchemaFault[] {
  const places = new Map<string, string>()
  return (['positiveExamples', 'negativeExamples'] as const).flatMap(kind =>
    rule[kind].flatMap((id, i) => {
      const path = `${kind}.${i}`
      const before = places.get(id)
      if (before !== undefined) return [{ path, message: `${id} stands at ${before} already` }]
      places.set(id, path)
      if (knowsExample?.(id) !== false) return []
      const what = id.startsWith('ex:') ? 'uploaded example' : 'stored frame'
      return [{ path, message: `there is no ${what} ${id}` }]
    }),
  )
}

function audienceFaults(rule: Rule): SchemaFault[] {
  return (['cameras', 'sites', 'groups'] as const).flatMap(kind =>
    rule[kind].flatMap((glob, i) =>
      canMatchName(glob)
        ? []
        : [
            {
              path: `${kind}.${i}`,
              message: `"${glob}" can match no name: names are letters, digits, ".", "_" and "-", at most ${MAX_NAME}, and begin with a letter or digit`,
            },
          ],
    ),
  )
}

/** Whether some name fits the glob: one that it spells out but for its stars, or one with a letter in place of a leading star. */
function canMatchName(glob: string): boolean {
  const name = new RegExp(NAME_PATTERN)
  const letters = glob.replaceAll('*', '')
  return name.test(letters) || (glob.startsWith('*') && name.test(`a${letters}`))
}

function scheduleFaults({ schedule }: Rule): SchemaFault[] {
  if (schedule === undefined) return []
  const faults: SchemaFault[] = []
  if (!isTimeZone(schedule.timeZone))
    faults.push({
      path: 'schedule.timeZone',
      message: `"${schedule.timeZone}" is no time zone that is known; write it as Europe/Berlin or UTC`,
    })
  for (const [i, { days }] of schedule.windows.entries()) {
    const twice = days.findIndex((day, at) => days.indexOf(day) !== at)
    if (twice >= 0)
      faults.push({
        path: `schedule.windows.${i}.days.${twice}`,
        message: `${days[twice]} stands there twice`,
      })
  }
  return faults
}

/** The prompt in each of the rule's templates. */
export function withTemplates({ templates }: Pick<Rule, 'templates'>, prompt: string): string[] {
  return templates.map(template => template.replaceAll('{}', () => prompt))
}
