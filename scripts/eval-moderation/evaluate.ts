import type { RuleBundle } from '@sightline/core'
import { fitIsotonic, fitPlatt } from '@sightline/core/moderation/calibration.js'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { bestF1 } from '@sightline/core/moderation/quality.js'
import { similarity } from '@sightline/core/moderation/similarity-kernel.js'
import { fewShotReport, halves } from './few-shot-tables.ts'
import type { LabelledPhoto } from './photos.ts'
import { figuresTable, qualityTable, type Step, stepSummary, type TaskResult } from './report.ts'
import { seeded } from './seeded.ts'
import {
  type Corrected,
  calibratedScores,
  corrected,
  correctedScores,
  cosineScores,
  meanQuality,
  type Quality,
  qualityAt,
  type Review,
  softmaxScores,
} from './steps.ts'
import { type CameraStream, type JudgedPhoto, simulateCameras } from './streams.ts'
import { TASKS, type Task } from './tasks.ts'
import { BACKGROUND_VARIANTS } from './variants.ts'

/** Simulations of a rule's cameras that are averaged. */
const SEEDS = 5
const LABELS = 20
/** Sets of labels that are averaged. */
const DRAWS = 10

interface Simulation {
  readonly cameras: readonly CameraStream[]
  /** Its frames after the background correction as shipped. */
  readonly frames: readonly Corrected[]
}

interface TaskRun {
  readonly task: Task
  readonly judged: readonly JudgedPhoto[]
  readonly gates: { readonly minSimilarity: number; readonly off: number; readonly on: number }
  /** One a seed. */
  readonly simulations: readonly Simulation[]
}

/** The page's tables, in Markdown. The same photos and model give the same tables. */
export function evaluate(photos: readonly LabelledPhoto[], bundle: RuleBundle): string {
  const runs = TASKS.map((task, i): TaskRun => {
    const judged = judgePhotos(photos, task, bundle, i)
    const gates = bundle.rules[i]!
    const simulations = Array.from({ length: SEEDS }, (_, seed) => {
      const cameras = simulateCameras(judged, seeded(1000 * seed + i))
      return { cameras, frames: corrected(cameras, gates) }
    })
    return { task, judged, gates, simulations }
  })
  // One cut-off for all rules, and the best one in hindsight: no user can choose better.
  const cut = bestF1(
    runs.flatMap(({ simulations }) => simulations.flatMap(({ cameras }) => cosineScores(cameras))),
  ).threshold
  const results = runs.map(run => taskResult(run, cut))
  const steps = Object.keys(results[0]!.steps) as Step[]
  const mean = Object.fromEntries(
    steps.map(step => [step, meanQuality(results.map(result => result.steps[step]))]),
  ) as Record<Step, Quality>
  const { on } = runs[0]!.gates
  return [
    `Model \`${bundle.fingerprint}\`. (a) fires at one cosine for all rules, the best in hindsight: ${cut.toFixed(3)}; (b) to`,
    `(d) fire at the default \`on\`, ${on}. Photos of events below \`minSimilarity\`, which no score finds: ${shutOut(runs)}.`,
    '',
    qualityTable(results, mean),
    '',
    stepSummary(results),
    '',
    'Mean of all rules at other thresholds:',
    '',
    thresholdTable(runs),
    '',
    `(d) by method and number of labels, mean of all rules at \`on\` ${on}:`,
    '',
    labelsTable(runs),
    '',
    `(c) with its numbers changed one at a time, mean of all rules at \`on\` ${on}:`,
    '',
    variantTable(runs),
  ].join('\n')
}

/** The learning curves' tables, in Markdown. */
export function evaluateFewShot(photos: readonly LabelledPhoto[], bundle: RuleBundle): string {
  const sides = halves(photos.length)
  const rulesOf = (chosenOn: boolean) => {
    const half = photos.filter((_, i) => sides[i]!.chosenOn === chosenOn)
    return TASKS.map((task, i) => ({
      id: task.id,
      photos: judgePhotos(half, task, bundle, i),
      gates: bundle.rules[i]!,
    }))
  }
  return fewShotReport(rulesOf(false), rulesOf(true))
}

function shutOut(runs: readonly TaskRun[]): string {
  return runs
    .map(({ task, judged, gates }) => {
      const events = judged.filter(({ positive }) => positive)
      const lost = events.filter(({ similarity }) => similarity < gates.minSimilarity).length
      return `${task.id} ${((100 * lost) / events.length).toFixed(0)} %`
    })
    .join(', ')
}

function judgePhotos(
  photos: readonly LabelledPhoto[],
  { sets, shows }: Task,
  bundle: RuleBundle,
  index: number,
): JudgedPhoto[] {
  const matrix = new Float32Array(bundle.vectors.slice().buffer)
  return photos.flatMap(photo => {
    const positive = sets.includes(photo.set) ? shows(photo) : undefined
    if (positive === undefined) return []
    const { vector } = photo
    const verdict = judgeRule(bundle.rules[index]!, bundle, row => similarity(matrix, row, vector))
    return [{ vector, similarity: verdict.similarity, logit: verdict.logit, positive }]
  })
}

function taskResult(run: TaskRun, cut: number): TaskResult {
  const { task, judged, gates } = run
  const over = (quality: (simulation: Simulation) => Quality) => meanQuality(run.simulations.map(quality))
  return {
    id: task.id,
    photos: judged.length,
    positives: judged.filter(({ positive }) => positive).length,
    steps: {
      cosine: over(({ cameras }) => qualityAt(cosineScores(cameras), cut)),
      softmax: over(({ cameras }) => qualityAt(softmaxScores(cameras, gates), gates.on)),
      background: over(({ frames }) => qualityAt(correctedScores(frames), gates.on)),
      platt: reviewed(run, { calibrate: fitPlatt, labels: LABELS }, gates.on).quality,
    },
  }
}

/** Mean over draws of labels, and in how many of them a calibration fitted. */
function reviewed(
  { gates, simulations }: TaskRun,
  { calibrate, labels }: Pick<Review, 'calibrate' | 'labels'>,
  on: number,
  draws = DRAWS,
): { readonly quality: Quality; readonly fitted: number } {
  let fits = 0
  const all = simulations.flatMap(({ frames }, seed) =>
    Array.from({ length: draws }, (_, draw) => {
      const review = { calibrate, labels, off: gates.off, random: seeded(100 * seed + draw) }
      const drawn = calibratedScores(frames, review)
      fits += drawn.fits
      return qualityAt(drawn.scored, on)
    }),
  )
  return { quality: meanQuality(all), fitted: fits / (2 * all.length) }
}

const meanOver = (runs: readonly TaskRun[], quality: (simulation: Simulation, run: TaskRun) => Quality) =>
  meanQuality(runs.flatMap(run => run.simulations.map(simulation => quality(simulation, run))))

function thresholdTable(runs: readonly TaskRun[]): string {
  const rows = [0.3, 0.4, 0.5, 0.6, 0.7].flatMap(on => [
    {
      name: `(b), \`on\` ${on}`,
      quality: meanOver(runs, ({ cameras }, { gates }) => qualityAt(softmaxScores(cameras, gates), on)),
    },
    {
      name: `(c), \`on\` ${on}`,
      quality: meanOver(runs, ({ frames }) => qualityAt(correctedScores(frames), on)),
    },
    {
      name: `(d), \`on\` ${on}`,
      quality: meanQuality(
        runs.map(run => reviewed(run, { calibrate: fitPlatt, labels: LABELS }, on, 2).quality),
      ),
    },
  ])
  return figuresTable('score and threshold', rows)
}

function labelsTable(runs: readonly TaskRun[]): string {
  const fits = [
    { name: 'Platt', calibrate: fitPlatt },
    { name: 'isotonic', calibrate: fitIsotonic },
  ]
  const rows = fits.flatMap(({ name, calibrate }) =>
    [10, 20, 50, 200, 1000].map(labels => {
      const all = runs.map(run => reviewed(run, { calibrate, labels }, run.gates.on, 2))
      const fitted = all.reduce((sum, each) => sum + each.fitted, 0) / all.length
      return {
        name: `${name}, ${labels} labels${fitted < 1 ? ` (fitted in ${(100 * fitted).toFixed(0)} %)` : ''}`,
        quality: meanQuality(all.map(({ quality }) => quality)),
      }
    }),
  )
  return figuresTable('calibration', rows)
}

function variantTable(runs: readonly TaskRun[]): string {
  const rows = BACKGROUND_VARIANTS.map(({ name, settings }) => ({
    name,
    quality: meanOver(runs, ({ cameras }, { gates }) =>
      qualityAt(correctedScores(corrected(cameras, gates, settings)), gates.on),
    ),
  }))
  return figuresTable('background', rows)
}
