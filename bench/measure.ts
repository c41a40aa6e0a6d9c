import { performance } from 'node:perf_hooks'

export interface BenchOptions {
  /** A smoke run: few rounds, small sets. Its figures mean little. */
  readonly quick: boolean
  /** A million vectors too: some 25 minutes on two cores, and 8 GB of memory. */
  readonly large: boolean
  /** Exists, is empty, is removed afterwards. */
  readonly dir: string
}

/** Two contestants on the same work in the same run. */
export interface Comparison {
  readonly what: string
  readonly unit: string
  readonly ours: number
  readonly beside: string
  readonly theirs: number
  /** Ours to theirs: the median over the rounds, each compared within itself. */
  readonly ratio: number
  /** Middle half of the rounds. */
  readonly spread: readonly [number, number]
  readonly target?: string
}

export interface Figure {
  readonly what: string
  readonly value: string
  readonly target?: string
}

/** What one benchmark file has to say. */
export interface Section {
  readonly title: string
  readonly comparisons: readonly Comparison[]
  readonly figures: readonly Figure[]
  /** How it was measured and how to read it, as Markdown. */
  readonly notes: readonly string[]
}

export type Benchmark = (options: BenchOptions) => Promise<Section>

/**
 * Runs the contestants in turn, round after round, each round beginning with another one: what else the machine does
 * and how its clock drifts then meets them alike. The first, unmeasured round warms up.
 * @param clock in milliseconds; `cpuMs` where others use the machine
 * @returns milliseconds per round
 */
export async function interleave<Name extends string>(
  contestants: Readonly<Record<Name, () => unknown>>,
  rounds: number,
  clock: () => number = () => performance.now(),
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[]
  const samples = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length]!
      const startMs = clock()
      await contestants[name]()
      if (round > 0) samples[name].push(clock() - startMs)
    }
  }
  return samples
}

/** CPU time of this process, all threads together. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 50)
}

export interface ComparedSamples {
  readonly what: string
  readonly beside: string
  /** Milliseconds per round, index by index of the same round. */
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
  /** Items that one round handles. */
  readonly items: number
  readonly unit: string
  readonly target?: string
}

/** Cost per item: below 1 is faster than what stands beside. */
export function compareCost({ ours, theirs, items, ...names }: ComparedSamples): Comparison {
  return {
    ...names,
    ours: median(ours) / items,
    theirs: median(theirs) / items,
    ...ratioOf(ours, theirs),
  }
}

/** Items per second: above 1 is faster than what stands beside. */
export function compareRate({ ours, theirs, items, ...names }: ComparedSamples): Comparison {
  return {
    ...names,
    ours: (1000 * items) / median(ours),
    theirs: (1000 * items) / median(theirs),
    ...ratioOf(theirs, ours),
  }
}

function ratioOf(a: readonly number[], b: readonly number[]): Pick<Comparison, 'ratio' | 'spread'> {
  const ratios = a.map((value, round) => value / b[round]!)
  return { ratio: median(ratios), spread: [percentile(ratios, 25), percentile(ratios, 75)] }
}
