import type { Search } from './recall.ts'

/** A search that finds more the more it may spend. */
export interface Rival {
  readonly name: string
  /** What its effort is called. */
  readonly unit: string
  /** Whether its CPU time is this process's. */
  readonly isInProcess: boolean
  /** Ascending. */
  readonly efforts: readonly number[]
  at(effort: number): Promise<Search>
}

export interface Point {
  readonly effort: number
  readonly recall: number
  readonly search: Search
}

/** Where a rival finds as much as we do: between two efforts, at one of them, or beyond the last. */
export interface Bracket {
  readonly low: Point
  readonly high: Point
  /** Of the way from `low` to `high`. */
  readonly share: number
  /** Every effort that was tried. */
  readonly curve: readonly Point[]
}

/**
 * Raises the effort until it finds as much as `wanted`. In between, cost is taken to grow by the same factor for each halving
 * of what is missed: over the efforts of a graph that is nearly a straight line.
 * @param misses of one, in parts of all neighbours asked for: what is the smallest difference that can be seen
 */
export async function bracket(
  rival: Rival,
  recallAt: (search: Search) => Promise<number>,
  { wanted, misses }: { readonly wanted: number; readonly misses: number },
): Promise<Bracket> {
  const curve: Point[] = []
  for (const effort of rival.efforts) {
    const search = await rival.at(effort)
    curve.push({ effort, search, recall: await recallAt(search) })
    if (curve.at(-1)!.recall >= wanted) break
  }
  const high = curve.at(-1)!
  const low = curve.findLast(point => point.recall < high.recall && point.recall < wanted)
  if (low === undefined || high.recall < wanted) return { low: high, high, share: 0, curve }
  const missed = (recall: number) => Math.log(1 - recall + misses / 2)
  const share = (missed(low.recall) - missed(wanted)) / (missed(low.recall) - missed(high.recall))
  return { low, high, share, curve }
}

/** Cost at the recall of the bracket, round by round. */
export function between(low: readonly number[], high: readonly number[], share: number): number[] {
  return low.map((cost, round) => cost ** (1 - share) * high[round]! ** share)
}

/** In words: what was compared with what. */
export function describeBracket(
  { name, unit }: Rival,
  { low, high, share }: Bracket,
  wanted: number,
): string {
  if (low === high) {
    const found = high.recall < wanted ? 'no more than' : 'already'
    return `${name}, ${unit} ${high.effort}: recall ${found} ${high.recall.toFixed(4)}, ours ${wanted.toFixed(4)}`
  }
  return `${name} at our recall of ${wanted.toFixed(4)}: ${(100 * share).toFixed(0)} % of the way from ${unit} ${low.effort} (${low.recall.toFixed(4)}) to ${high.effort} (${high.recall.toFixed(4)})`
}
