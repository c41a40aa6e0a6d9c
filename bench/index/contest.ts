import { seededRandom } from '../clusters.ts'
import {
  type Comparison,
  compareCost,
  cpuMs,
  type Figure,
  interleave,
  median,
  percentile,
} from '../measure.ts'
import { number } from '../report.ts'
import { between, bracket, describeBracket, type Rival } from './equal-recall.ts'
import { type Answers, answersOf, recallOf, type Search } from './recall.ts'

const RESAMPLES = 200

export interface Contest {
  readonly what: string
  readonly ours: Search
  readonly queries: readonly Float32Array[]
  /** Answers to them. */
  readonly exact: Answers
  readonly k: number
}

/** Beside what finds everything: the time of one search each. */
export async function besideExact(
  { what, ours, queries }: Contest,
  { name, search }: { readonly name: string; readonly search: Search },
): Promise<Comparison[]> {
  const times = await race({ ours, theirs: search }, queries)
  return compared({ what, ...times, beside: name }, 'ms')
}

export interface RivalResult {
  readonly comparisons: readonly Comparison[]
  readonly figures: readonly Figure[]
  /** Of the rival, at which it finds as much as we do. */
  readonly effort: number
}

/** Beside a search that can be told to look harder: both times at the same recall. */
export async function besideRival(contest: Contest, rival: Rival, target?: string): Promise<RivalResult> {
  const { what, ours, queries, exact, k } = contest
  const recallAt = async (search: Search) => recallOf(await answersOf(search, queries), exact)
  const wanted = await recallAt(ours)
  const found = await bracket(rival, recallAt, { wanted, misses: 1 / (k * queries.length) })
  const { low, high, share } = found
  const names = { what, beside: describeBracket(rival, found, wanted), ...(target && { target }) }
  const costs = async (clock?: () => number) => {
    const samples = await race({ ours, low: low.search, high: high.search }, queries, clock)
    return { ...names, ours: samples.ours, theirs: between(samples.low, samples.high, share) }
  }
  const wall = compared(await costs(), 'ms')
  return {
    effort: high.effort,
    comparisons: rival.isInProcess ? [...wall, ...compared(await costs(cpuMs), 'ms of CPU')] : wall,
    figures: [
      {
        what: `${what}: recall@${k}`,
        value: `Sightline ${wanted.toFixed(4)}; ${rival.name} ${found.curve
          .map(({ effort, recall }) => `${recall.toFixed(4)} with ${rival.unit} ${effort}`)
          .join(', ')}`,
        target: '>= 0.95',
      },
    ],
  }
}

/** Each query is asked of all, in turn; the rotation asks each contestant once a round, so the round is the query. */
async function race<Name extends string>(
  contestants: Readonly<Record<Name, Search>>,
  queries: readonly Float32Array[],
  clock?: () => number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[]
  const asking = Object.fromEntries(
    names.map(name => {
      let round = 0
      return [name, () => contestants[name](queries[round++ % queries.length]!)]
    }),
  ) as Record<Name, () => unknown>
  return interleave(asking, queries.length, clock)
}

interface Costs {
  readonly what: string
  readonly beside: string
  readonly target?: string
  /** Milliseconds per round. */
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
}

/** Median and P95. The target is of the latter. */
function compared({ target, ...costs }: Costs, unit: string): Comparison[] {
  return [
    compareCost({ ...costs, items: 1, unit: `${unit} (P50)` }),
    { ...atPercentile(costs, 95), unit: `${unit} (P95)`, ...(target && { target }) },
  ]
}

/** A percentile has no ratio in each round: its spread is that of rounds drawn again and again (Efron 1979). */
function atPercentile({ ours, theirs, ...names }: Costs, p: number): Omit<Comparison, 'unit'> {
  const random = seededRandom(RESAMPLES)
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const rounds = ours.map(() => Math.floor(random() * ours.length))
    const at = (costs: readonly number[]) => {
      const drawn = rounds.map(round => costs[round]!)
      return percentile(drawn, p)
    }
    return at(ours) / at(theirs)
  })
  return {
    ...names,
    ours: percentile(ours, p),
    theirs: percentile(theirs, p),
    ratio: percentile(ours, p) / percentile(theirs, p),
    spread: [percentile(ratios, 25), percentile(ratios, 75)],
  }
}

/** P50 and P95 as text. */
export function spreadOf(timesMs: readonly number[]): string {
  return `${number(median(timesMs))} / ${number(percentile(timesMs, 95))} ms`
}
