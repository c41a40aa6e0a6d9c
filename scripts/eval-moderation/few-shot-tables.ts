import {
  drawQualities,
  FEW_SHOT_DRAWS,
  type FewShotQuality,
  type FewShotRule,
  LABEL_COUNTS,
  type Learner,
  promptsAlone,
  withExamples,
  withHead,
  withPlatt,
} from './few-shot.ts'
import { seeded } from './seeded.ts'

export interface NamedRule extends FewShotRule {
  readonly id: string
}

const KEYS = ['f1', 'prAuc', 'calibrationError'] as const
type Key = (typeof KEYS)[number]

/** Which half a photo is in: constants are chosen on one, the page's figures come from the other. */
export function halves(count: number): { readonly chosenOn: boolean }[] {
  const random = seeded(20240)
  return Array.from({ length: count }, () => ({ chosenOn: random() < 0.5 }))
}

const CURVES: readonly { readonly name: string; readonly learner: Learner }[] = [
  { name: 'prompts, Platt from 20 labels on', learner: withPlatt },
  { name: '+ examples', learner: withExamples() },
  { name: '+ head', learner: withHead() },
]

/** Learning curves on the half that nothing was chosen on, then what the constants were chosen by on the other. */
export function fewShotReport(test: readonly NamedRule[], chosenOn: readonly NamedRule[]): string {
  return [
    `Mean of ${test.length} rules, ± the standard deviation of that mean over ${FEW_SHOT_DRAWS} draws of labels:`,
    '',
    '| labels a rule | score | F1 at 0.5 | PR-AUC | ECE |',
    '| ---: | --- | ---: | ---: | ---: |',
    row('0', 'prompts', draws(test, promptsAlone, 0)),
    ...LABEL_COUNTS.flatMap(count =>
      CURVES.map(({ name, learner }) => row(String(count), name, draws(test, learner, count))),
    ),
    '',
    'Rule by rule with 20 labels, mean and standard deviation of one draw; in brackets the share of draws in which PR-AUC rose:',
    '',
    '| rule | F1: prompts | + examples | + head | PR-AUC: prompts | + examples | + head |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...test.map((rule, i) => ruleRow(rule, i)),
    '',
    'On the half that the constants were chosen on:',
    '',
    '| constant | labels | F1 at 0.5 | PR-AUC | ECE |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...VARIANTS.flatMap(({ name, learner, counts }) =>
      counts.map(count => {
        const [f1, prAuc, ece] = KEYS.map(key => mean(draws(chosenOn, learner, count).map(q => q[key])))
        return `| ${name} | ${count} | ${fixed(f1!)} | ${fixed(prAuc!)} | ${fixed(ece!)} |`
      }),
    ),
  ].join('\n')
}

const examples = (weight: number, sharpness: number, negatives = true) => ({
  name: `examples: weight ${weight}, sharpness ${sharpness}${negatives ? '' : ', positive examples only'}`,
  learner: withExamples({ weight, sharpness, negatives }),
  counts: [5, 20],
})

const VARIANTS: readonly { name: string; learner: Learner; counts: readonly number[] }[] = [
  { name: 'prompts', learner: promptsAlone, counts: [20] },
  examples(6, 5.5),
  examples(16, 5.5),
  examples(32, 5.5),
  examples(8, 2),
  examples(12, 4),
  examples(6, 5.5, false),
  examples(16, 5.5, false),
  examples(8, 2, false),
  examples(12, 4, false),
  ...[1, 3, 6, 12, 40].map(weightVariance => ({
    name: `head: V ${weightVariance}`,
    learner: withHead({ weightVariance }),
    counts: [10, 20, 50],
  })),
  ...[1, 4, 64].map(biasVariance => ({
    name: `head: V 6, B ${biasVariance}`,
    learner: withHead({ biasVariance }),
    counts: [10, 20],
  })),
  {
    name: 'head: V 6, 4 labels of each kind',
    learner: withHead({ minPerClass: 4 }),
    counts: [10, 20],
  },
  {
    name: 'head: V 6, 1 label of each kind, 4 in all',
    learner: withHead({ minPerClass: 1, minLabels: 4 }),
    counts: [5, 10],
  },
]

/** For each draw the mean over the rules. */
function draws(rules: readonly NamedRule[], learner: Learner, count: number): FewShotQuality[] {
  const all = rules.map((rule, seed) => drawQualities(rule, { learner, count, seed }))
  return Array.from({ length: FEW_SHOT_DRAWS }, (_, draw) => {
    const of = (key: Key) => mean(all.map(qualities => qualities[draw]![key]))
    return { f1: of('f1'), prAuc: of('prAuc'), calibrationError: of('calibrationError') }
  })
}

function row(labels: string, name: string, qualities: readonly FewShotQuality[]): string {
  const figures = KEYS.map(key => withSpread(qualities.map(quality => quality[key])))
  return `| ${labels} | ${name} | ${figures.join(' | ')} |`
}

function ruleRow(rule: NamedRule, seed: number): string {
  const [prompts, ...others] = [promptsAlone, withExamples(), withHead()].map(learner =>
    drawQualities(rule, { learner, count: 20, seed }),
  )
  const f1 = [prompts!, ...others].map(draw => withSpread(draw.map(quality => quality.f1)))
  const areas = others.map(draw => {
    const rose = draw.filter(({ prAuc }, i) => prAuc > prompts![i]!.prAuc).length / draw.length
    return `${withSpread(draw.map(({ prAuc }) => prAuc))} (${Math.round(100 * rose)} %)`
  })
  const plain = withSpread(prompts!.map(({ prAuc }) => prAuc))
  return `| ${rule.id} | ${[...f1, plain, ...areas].join(' | ')} |`
}

function withSpread(values: readonly number[]): string {
  const centre = mean(values)
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1)
  return `${fixed(centre)} ± ${fixed(Math.sqrt(variance))}`
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function fixed(value: number): string {
  return value.toFixed(3)
}
