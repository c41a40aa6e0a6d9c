import type { Quality } from './steps.ts'

export const STEPS = {
  cosine: '(a) raw cosine, one cut-off',
  softmax: '(b) softmax',
  background: '(c) + background',
  platt: '(d) + Platt, 20 labels',
} as const

export type Step = keyof typeof STEPS

export interface TaskResult {
  readonly id: string
  readonly photos: number
  readonly positives: number
  readonly steps: Readonly<Record<Step, Quality>>
}

export function qualityTable(results: readonly TaskResult[], mean: TaskResult['steps']): string {
  const rows = results.flatMap(({ id, photos, positives, steps }) =>
    stepRows(`${id} (${positives} of ${photos} photos)`, steps),
  )
  return [
    '| rule | score | precision | recall | F1 | PR-AUC | ROC-AUC | ECE |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    ...stepRows(`**mean of ${results.length}**`, mean),
  ].join('\n')
}

function stepRows(title: string, steps: TaskResult['steps']): string[] {
  return (Object.keys(STEPS) as Step[]).map((step, i) => {
    return `| ${i === 0 ? title : ''} | ${STEPS[step]} | ${figures(steps[step]).join(' | ')} |`
  })
}

function figures(quality: Quality): string[] {
  const { precision, recall, f1, prAuc, rocAuc, calibrationError } = quality
  return [precision, recall, f1, prAuc, rocAuc, calibrationError].map(value => value.toFixed(3))
}

/** One line a setting. */
export function figuresTable(
  title: string,
  rows: readonly { readonly name: string; readonly quality: Quality }[],
): string {
  return [
    `| ${title} | precision | recall | F1 | PR-AUC | ROC-AUC | ECE |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map(({ name, quality }) => `| ${name} | ${figures(quality).join(' | ')} |`),
  ].join('\n')
}

/** Says for how many rules a step made F1, PR-AUC and the calibration error better or worse than the step before. */
export function stepSummary(results: readonly TaskResult[]): string {
  const order = Object.keys(STEPS) as Step[]
  return order
    .slice(1)
    .map((step, i) => {
      const parts = (
        [
          ['F1', 'f1', 1],
          ['PR-AUC', 'prAuc', 1],
          ['ECE', 'calibrationError', -1],
        ] as const
      ).map(([name, key, sign]) => {
        const changes = results.map(({ id, steps }) => ({
          id,
          change: sign * (steps[step][key] - steps[order[i]!][key]),
        }))
        const better = changes.filter(({ change }) => change > NOTABLE).length
        const worse = changes.filter(({ change }) => change < -NOTABLE).map(({ id }) => id)
        return `${name} better on ${better}, worse on ${worse.length}${worse.length === 0 ? '' : ` (${worse.join(', ')})`}`
      })
      return `- ${STEPS[step]}, beside the line above it: ${parts.join('; ')}.`
    })
    .join('\n')
}

/** Smaller changes are the luck of the draw. */
const NOTABLE = 0.005
