import { join } from 'node:path'
import {
  type ClipModel,
  type CompiledRule,
  createLog,
  decodeMessagePack,
  dotRow,
  encodeMessagePack,
  fault,
  loadModel,
  RuleBundle,
  ruleScore,
} from '@sightline/core'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { reachesGate } from '@sightline/core/moderation/rule-evidence.js'
import { similarity } from '@sightline/core/moderation/similarity-kernel.js'
import { Backgrounds } from '@sightline/edge-agent/moderation/backgrounds.js'
import { RuleIndex } from '@sightline/edge-agent/moderation/rule-index.js'
import { type RuleVectors, ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { Scorer } from '@sightline/edge-agent/moderation/scorer.js'
import { compileRules } from '@sightline/hub/rules/compile.js'
import { validateRules } from '@sightline/hub/rules/validate.js'
import {
  type BenchOptions,
  type Comparison,
  compareCost,
  cpuMs,
  type Figure,
  interleave,
  median,
  type Section,
} from './measure.ts'
import { cameraPictures, MODEL_DIR } from './pictures.ts'
import { number } from './report.ts'

const FRAMES = 38
const FRAME_EVERY_MS = 1000
const ENCODED = 8

// 20 x 10 x 5 x 10 rules that differ as rules of one site do.
const SUBJECTS =
  'a person|a child|a man with a bag|a dog|a cat|a bird|a horse|a car|a truck|a bicycle|a motorcycle|a boat|an airplane|a fire|smoke|a crowd|a bag on the ground|an open door|a ladder|a cup'
const PLACES =
  'in a street|at a gate|in a corridor|on the stairs|on a beach|in a harbour|on a meadow|in a kitchen|on a roof|at a counter'
const CONDITIONS = 'by day|at night|in the rain|in the snow|seen from above'
const MANNERS =
  'close up|far away|half hidden|moving fast|standing still|in fog|behind glass|next to a wall|in the background|without anybody around'

interface Encoding {
  readonly cpuMs: number
  readonly wallMs: number
}

/** What judging a frame by so many rules costs, beside brute force and as a share of encoding the frame. In CPU time. */
export async function rules({ quick, dir }: BenchOptions): Promise<Section> {
  const model = await loadModel({ dir: MODEL_DIR })
  try {
    const pictures = await cameraPictures(FRAMES)
    const frames = await model.encodeImages(pictures)
    const encoding = await encodingOf(model, pictures.slice(0, ENCODED), quick ? 1 : 5)
    const most = quick ? 100 : 10_000
    const largest = await bundleOf(model, most)
    const comparisons: Comparison[] = []
    const figures: Figure[] = []
    for (const count of [10, 100, 1000, 10_000].filter(each => each <= most)) {
      const vectors = spreadOver(largest, count)
      const repeats = Math.max(1, Math.min(5, 5000 / count))
      const judged = await judging(vectors, { frames, repeats, rounds: quick ? 3 : 15, dir })
      comparisons.push(...judged.comparisons)
      figures.push(shareOf(count, judged.wholeMs, encoding))
    }
    return {
      title: 'Judging frames by rules',
      comparisons,
      figures,
      notes: [
        `${FRAMES} sample photos under rules such as "a dog at a gate in the snow, far away": two positive and three negative prompts each, the ten neutral prompts, \`minSimilarity\` 0.2 as in the starter rules, real vectors of the embedded model. All figures of this section are CPU time of the process.`,
        'Brute force multiplies the frame with every prompt once in JavaScript and then scores the rules that reach their gate. The scan does so with float32 SIMD; the graph is HNSW over the positives, whose proposals are decided by the same products. The scan gave the verdicts of `judgeRule`, bit for bit, on every frame, or this page would not have been written.',
        'The share of encoding counts the whole verdict: the scan, the scores, and what the background of the camera learns from every rule that reached its gate, on a camera whose picture never stays the same.',
      ],
    }
  } finally {
    await model.close()
  }
}

async function encodingOf(
  model: ClipModel,
  pictures: Awaited<ReturnType<typeof cameraPictures>>,
  rounds: number,
): Promise<Encoding> {
  const frame = async () => {
    for (const picture of pictures) await model.encodeImages([picture])
  }
  const perFrame = async (clock?: () => number) =>
    median((await interleave({ frame }, rounds, clock)).frame) / pictures.length
  return { cpuMs: await perFrame(cpuMs), wallMs: await perFrame() }
}

function shareOf(count: number, wholeMs: number, encoding: Encoding): Figure {
  const share = (of: number) => `${((100 * wholeMs) / of).toFixed(2)} %`
  return {
    what: `${count} rules, as a share of encoding one frame`,
    value: `${number(wholeMs)} ms: ${share(encoding.cpuMs)} of its CPU time, ${number(encoding.cpuMs)} ms; ${share(encoding.wallMs)} of its duration, ${number(encoding.wallMs)} ms`,
    ...(count === 1000 && { target: '< 3 %' }),
  }
}

async function bundleOf(model: ClipModel, count: number): Promise<RuleBundle> {
  const prompts = [SUBJECTS, PLACES, CONDITIONS, MANNERS]
    .map(words => words.split('|'))
    .reduce((heads, tails) => heads.flatMap(head => tails.map(tail => `${head} ${tail}`)))
  // Spread over the whole list, so that few rules are not all about one subject.
  const step = prompts.length / count
  const document = validateRules(
    Array.from({ length: count }, (_, i) => {
      const at = Math.floor(i * step)
      const other = (by: number) => prompts[Math.floor(at + by * step) % prompts.length]!
      return {
        id: `rule-${i}`,
        name: prompts[at],
        positives: [prompts[at], `a photo of ${prompts[at]}`],
        negatives: [other(0.05 * count), other(0.15 * count), other(0.4 * count)],
        minSimilarity: 0.2,
      }
    }),
  )
  return compileRules({ version: 1, updatedAt: 1, rules: document }, model)
}

/** So many of the rules, at equal distances, with the rows that they need. */
function spreadOver(bundle: RuleBundle, count: number): RuleVectors {
  const step = bundle.rules.length / count
  const some = Array.from({ length: count }, (_, i) => bundle.rules[Math.floor(i * step)]!)
  const rows = [
    ...new Set([...bundle.neutral, ...some.flatMap(rule => [...rule.positives, ...rule.negatives])]),
  ]
  const places = new Map(rows.map((row, place) => [row, place]))
  const moved = (list: readonly number[]) => list.map(row => places.get(row)!)
  const bytes = bundle.dim * 4
  return ruleVectors(
    decodeMessagePack(
      RuleBundle,
      encodeMessagePack({
        ...bundle,
        neutral: moved(bundle.neutral),
        rules: some.map(
          (rule): CompiledRule => ({
            ...rule,
            positives: moved(rule.positives),
            negatives: moved(rule.negatives),
          }),
        ),
        vectors: Buffer.concat(rows.map(row => bundle.vectors.subarray(row * bytes, (row + 1) * bytes))),
      }),
    ),
  )
}

interface JudgingOptions {
  readonly frames: readonly Float32Array[]
  readonly repeats: number
  readonly rounds: number
  readonly dir: string
}

interface Judged {
  readonly comparisons: readonly Comparison[]
  /** Of a frame: verdicts and backgrounds. */
  readonly wholeMs: number
}

async function judging(
  vectors: RuleVectors,
  { frames, repeats, rounds, dir }: JudgingOptions,
): Promise<Judged> {
  const count = vectors.bundle.rules.length
  const scan = new Scorer({ vectors })
  const graph = new Scorer({ vectors, index: await RuleIndex.build(vectors) })
  const missed = mistakes(vectors, { frames, scan, graph })
  const backgrounds = new Backgrounds({
    path: join(dir, `backgrounds-${count}.json`),
    log: createLog({ name: 'bench', level: 'silent' }),
  })
  const whole = new Scorer({ vectors, backgrounds })
  backgrounds.adopt(whole.keys)
  let at = 0
  const overAll = (judge: (frame: Float32Array) => unknown) => () => {
    for (let i = 0; i < repeats; i++) for (const frame of frames) judge(frame)
  }
  const samples = await interleave(
    {
      scan: overAll(frame => scan.judge(frame, 'yard')),
      graph: overAll(frame => graph.judge(frame, 'yard')),
      brute: overAll(frame => bruteForce(vectors, frame)),
      whole: overAll(frame => {
        at += FRAME_EVERY_MS
        const judgements = whole.judge(frame, 'yard')
        backgrounds.observe({ camera: 'yard', at, judgements, keys: whole.keys })
      }),
    },
    rounds,
    cpuMs,
  )
  await backgrounds.save()
  const items = repeats * frames.length
  const what = `${count} rules (${vectors.rows} prompts)`
  return {
    comparisons: [
      compareCost({
        ours: samples.scan,
        theirs: samples.brute,
        what: `${what}, scan`,
        beside: 'brute force',
        items,
        unit: 'ms a frame',
      }),
      compareCost({
        ours: samples.graph,
        theirs: samples.brute,
        what: `${what}, graph: ${missed} verdicts missed`,
        beside: 'brute force',
        items,
        unit: 'ms a frame',
      }),
    ],
    wholeMs: median(samples.whole) / items,
  }
}

/** Verdicts that the graph did not find. @throws INTERNAL where the scan differs from the definition. */
function mistakes(
  vectors: RuleVectors,
  { frames, scan, graph }: { frames: readonly Float32Array[]; scan: Scorer; graph: Scorer },
): number {
  let missed = 0
  for (const [i, frame] of frames.entries()) {
    const ours = scan.judge(frame, 'yard')
    const exact = byDefinition(vectors, frame)
    if (ours.length !== exact.size || ours.some(({ rule, score }) => exact.get(rule.id) !== score))
      throw fault(
        'INTERNAL',
        `${vectors.bundle.rules.length} rules, frame ${i}: ${ours.length} verdicts, ${exact.size} by definition, or other scores`,
      )
    missed += ours.length - graph.judge(frame, 'yard').length
  }
  return missed
}

function byDefinition({ bundle, matrix, rows }: RuleVectors, frame: Float32Array): Map<string, number> {
  const similarities = Float64Array.from({ length: rows }, (_, row) => similarity(matrix, row, frame))
  const of = (row: number) => similarities[row]!
  return new Map(
    bundle.rules
      .filter(rule => reachesGate(rule, of))
      .map(rule => [rule.id, judgeRule(rule, bundle, of).score]),
  )
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
