import {
  type ClipModel,
  decodeMessagePack,
  dotRow,
  encodeMessagePack,
  fault,
  loadModel,
  RuleBundle,
  ruleScore,
} from '@sightline/core'
import { RuleIndex } from '@sightline/edge-agent/moderation/rule-index.js'
import { type RuleVectors, ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { Scorer } from '@sightline/edge-agent/moderation/scorer.js'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { validateRules } from '@sightline/hub/rules/validate.js'
import {
  type BenchOptions,
  type Comparison,
  compareCost,
  type Figure,
  interleave,
  median,
  type Section,
} from './measure.ts'
import { cameraPictures, MODEL_DIR } from './pictures.ts'
import { number } from './report.ts'

const FRAMES = 38
const REPEATS = 5

// 20 x 10 x 5 rules that differ as rules of one site do.
const SUBJECTS =
  'a person|a child|a man with a bag|a dog|a cat|a bird|a horse|a car|a truck|a bicycle|a motorcycle|a boat|an airplane|a fire|smoke|a crowd|a bag on the ground|an open door|a ladder|a cup'
const PLACES =
  'in a street|at a gate|in a corridor|on the stairs|on a beach|in a harbour|on a meadow|in a kitchen|on a roof|at a counter'
const CONDITIONS = 'by day|at night|in the rain|in the snow|seen from above'

/** What judging a frame by so many rules costs, beside brute force and as a share of encoding the frame. */
export async function rules({ quick }: BenchOptions): Promise<Section> {
  const model = await loadModel({ dir: MODEL_DIR })
  try {
    const pictures = await cameraPictures(FRAMES)
    const vectors = await model.encodeImages(pictures)
    const encoding = await interleave(
      {
        frame: async () => {
          for (const picture of pictures.slice(0, 8)) await model.encodeImages([picture])
        },
      },
      quick ? 1 : 5,
    )
    const encodeMs = median(encoding.frame) / 8
    const comparisons: Comparison[] = []
    const figures: Figure[] = []
    for (const count of quick ? [10, 100] : [10, 100, 1000]) {
      const bundle = await bundleOf(model, count)
      const comparison = await judging(bundle, vectors, quick ? 3 : 15)
      comparisons.push(comparison)
      const share = ((100 * comparison.ours) / encodeMs).toFixed(2)
      figures.push({
        what: `${count} rules, as a share of encoding one frame`,
        value: `${share} % of ${number(encodeMs)} ms`,
      })
    }
    return {
      title: 'Judging frames by rules',
      comparisons,
      figures,
      notes: [
        `${FRAMES} sample photos under rules such as "a dog at a gate in the snow": two positive and three negative prompts each, the ten neutral prompts, \`minSimilarity\` 0.2 as in the starter rules, real vectors of the embedded model.`,
        'Brute force multiplies the frame with every prompt once and then scores the rules that reach their gate: exact, and no slower than it has to be. Both sides gave the same verdicts on every frame, or this page would not have been written.',
      ],
    }
  } finally {
    await model.close()
  }
}

async function bundleOf(model: ClipModel, count: number): Promise<RuleVectors> {
  const [subjects, places, conditions] = [SUBJECTS, PLACES, CONDITIONS].map(words => words.split('|'))
  const prompts = subjects!
    .flatMap(subject => places!.map(place => `${subject} ${place}`))
    .flatMap(prompt => conditions!.map(condition => `${prompt} ${condition}`))
  // Spread over the whole list, so that few rules are not all about one subject.
  const step = prompts.length / count
  const document = validateRules(
    Array.from({ length: count }, (_, i) => {
      const at = Math.floor(i * step)
      const other = (by: number) => prompts[(at + by) % prompts.length]!
      return {
        id: `rule-${i}`,
        name: prompts[at],
        positives: [prompts[at], `a photo of ${prompts[at]}`],
        negatives: [other(50), other(150), other(400)],
        minSimilarity: 0.2,
      }
    }),
  )
  const bundle = await compileRules({ version: 1, updatedAt: 1, rules: document }, model)
  return ruleVectors(decodeMessagePack(RuleBundle, encodeMessagePack(bundle)))
}

async function judging(
  vectors: RuleVectors,
  frames: readonly Float32Array[],
  rounds: number,
): Promise<Comparison> {
  const scorer = new Scorer({ vectors, index: await RuleIndex.build(vectors) })
  const count = vectors.bundle.rules.length
  const fired = (scores: readonly { id: string; score: number }[]) =>
    scores.map(({ id, score }) => `${id} ${score.toFixed(6)}`).sort()
  for (const [i, frame] of frames.entries()) {
    const ours = fired(scorer.judge(frame, 'yard').map(({ rule, score }) => ({ id: rule.id, score })))
    const exact = fired(bruteForce(vectors, frame))
    if (ours.join() !== exact.join())
      throw fault(
        'INTERNAL',
        `${count} rules, frame ${i}: ${ours.length} verdicts, brute force ${exact.length}`,
      )
  }
  const overAll = (judge: (frame: Float32Array) => unknown) => () => {
    for (let i = 0; i < REPEATS; i++) for (const frame of frames) judge(frame)
  }
  const samples = await interleave(
    {
      ours: overAll(frame => scorer.judge(frame, 'yard')),
      theirs: overAll(frame => bruteForce(vectors, frame)),
    },
    rounds,
  )
  return compareCost({
    ...samples,
    what: `${count} rules (${vectors.rows} prompts)`,
    beside: 'brute force',
    items: REPEATS * frames.length,
    unit: 'ms a frame',
  })
}

function bruteForce({ bundle, matrix, rows }: RuleVectors, frame: Float32Array) {
  const similarities = new Float64Array(rows)
  for (let row = 0; row < rows; row++) similarities[row] = dotRow(matrix, row, frame)
  const of = (row: number) => similarities[row]!
  const neutral = bundle.neutral.map(of)
  const scores: { id: string; score: number }[] = []
  for (const { id, positives, negatives, minSimilarity } of bundle.rules) {
    const best = Math.max(...positives.map(of))
    if (best < minSimilarity) continue
    scores.push({ id, score: ruleScore(best, [...negatives.map(of), ...neutral], bundle.logitScale) })
  }
  return scores.sort((a, b) => b.score - a.score)
}
