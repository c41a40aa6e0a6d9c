import type { Contribution, Hit } from './api-types.ts'

/** How good a match is, for people: what the calibrated figures mean in words. */
export interface MatchWords {
  readonly title: string
  readonly detail: string
}

/** From so much of the odds of a typical frame. */
const GRADES: readonly (readonly [number, string])[] = [
  [50, 'A very good match'],
  [10, 'A good match'],
  [3, 'A fair match'],
  [1, 'A weak match'],
]
/** Beyond it, the figure says no more than "by far". */
const MOST_TIMES = 1000

/**
 * `score` is p / (p + typical), so that p / (1 - p) is how many times likelier the frame is to be meant than a typical
 * stored one.
 */
export function matchWords({ score, percentile }: Pick<Hit, 'score' | 'percentile'>): MatchWords {
  const times = score >= 1 ? Number.POSITIVE_INFINITY : score / (1 - score)
  const title = GRADES.find(([least]) => times >= least)?.[1] ?? 'No real match'
  return { title, detail: `${oddsWords(times)}. ${rankWords(percentile)}.` }
}

function oddsWords(times: number): string {
  const meant = 'likely to be what was asked for'
  const typical = 'a typical stored frame'
  if (times > MOST_TIMES) return `More than ${MOST_TIMES} times as ${meant} as ${typical}`
  if (times >= 1.25) return `About ${rounded(times)} times as ${meant} as ${typical}`
  return times > 0.8 ? `About as ${meant} as ${typical}` : `Less ${meant} than ${typical}`
}

function rankWords(percentile: number): string {
  if (percentile >= 1) return 'No frame that it was compared with is closer'
  const outOf = percentile > 0.99 || percentile < 0.01 ? 1000 : 100
  const closer = Math.round(percentile * outOf)
  return `Closer than ${closer} of ${outOf} stored frames`
}

function rounded(times: number): string {
  if (times < 10) return String(Math.round(times * 2) / 2)
  const step = 10 ** (Math.floor(Math.log10(times)) - 1)
  return String(Math.round(times / step) * step)
}

/** What a part of the question is called. */
export function partName({ subject }: Contribution, like: string): string {
  if (subject === like) return 'the frame that was searched by'
  return subject === 'image' || subject === 'vector' ? `the ${subject}` : subject
}

/** What it does, in words; a wanted part may pull down, too. */
export function partWords({ contribution, share }: Contribution): string {
  return `${contribution < 0 ? 'against it' : 'for it'}, ${Math.round(share * 100)}% of the weight`
}
