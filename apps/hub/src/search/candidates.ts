import { dot } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import type { FrameFilter, RecordStore } from '../store/record-store.ts'
import { inOrder } from './cursor.ts'
import type { Candidate } from './query.ts'

/** Deepest that an answer goes: more hits than anybody looks through, and few enough to be held. */
export const MAX_CANDIDATES = 2000
/** Frames read from the store between two turns of the event loop: some 2 ms. */
const STRETCH = 200
const HOUR_MS = 3_600_000
/** Half-lives, beyond those of all time: recent frames enter with less similarity than old ones need. */
const DECAY_WINDOWS = [1, 4, 16]

export interface CandidatePlan {
  readonly vector: Float32Array
  readonly filter: FrameFilter
  readonly exact: boolean
  /** Frames that are no hits. */
  readonly own: ReadonlySet<number>
  /** Newest ord that belongs to the answer. */
  readonly upTo: number
  /** Least similarity. */
  readonly minSimilarity: number
  readonly decay: Decay | undefined
}

export interface Decay {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly halfLifeHours: number
  readonly logitScale: number
}

export interface CandidatePool {
  /** By rank descending. */
  readonly candidates: readonly Candidate[]
  /** Whether these are all that match. */
  readonly complete: boolean
}

export interface CandidateParts {
  readonly store: Pick<RecordStore, 'frameByOrd'>
  readonly index: Pick<IndexKeeper, 'search'>
}

/** The best `count` frames of the plan, or all when fewer match. */
export async function findCandidates(
  parts: CandidateParts,
  plan: CandidatePlan,
  count: number,
): Promise<CandidatePool> {
  const filters = plan.decay === undefined ? [plan.filter] : decayFilters(plan.filter, plan.decay)
  const pools = await Promise.all(filters.map(filter => nearest(parts, { ...plan, filter }, count)))
  // The last one is of all time: when it holds all that match, the others hold no more.
  const all = pools.at(-1)!
  const byOrd = new Map(pools.flatMap(({ candidates }) => candidates).map(each => [each.frame.ord, each]))
  return { candidates: [...byOrd.values()].sort(inOrder), complete: all.complete }
}

function decayFilters(filter: FrameFilter, { at, halfLifeHours }: Decay): FrameFilter[] {
  const recent = DECAY_WINDOWS.map(lives => ({
    ...filter,
    from: Math.max(filter.from ?? Number.NEGATIVE_INFINITY, at - lives * halfLifeHours * HOUR_MS),
  }))
  return [...recent, filter]
}

async function nearest(
  { store, index }: CandidateParts,
  plan: CandidatePlan,
  count: number,
): Promise<CandidatePool> {
  const { vector, filter, exact, own, upTo, minSimilarity } = plan
  // Frames newer than the answer take places of their own, so more are asked for until enough are left.
  for (let k = Math.min(MAX_CANDIDATES, count + own.size); ; k = Math.min(MAX_CANDIDATES, 2 * k)) {
    const found = await index.search(vector, k, filter, { exact })
    const ords = found.map(({ ord }) => ord).filter(ord => ord <= upTo && !own.has(ord))
    const complete = found.length < k
    if (ords.length < count && !complete && k < MAX_CANDIDATES) continue
    // Of pages that share a pool, none may see more of it than another.
    const candidates = await readAll(store, ords.slice(0, count), plan)
    const wanted = candidates.filter(({ similarity }) => similarity >= minSimilarity)
    const whole = complete && ords.length <= count
    return { candidates: wanted, complete: whole || wanted.length < candidates.length }
  }
}

/** The similarity is computed here: it must not differ in the last bit between one part of the index and another. */
async function readAll(
  store: CandidateParts['store'],
  ords: readonly number[],
  { vector, decay }: CandidatePlan,
): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (const [i, ord] of ords.entries()) {
    if (i % STRETCH === STRETCH - 1) await turn()
    const frame = store.frameByOrd(ord)
    if (frame === undefined) continue
    const similarity = dot(frame.vector, vector)
    candidates.push({ frame, similarity, rank: similarity - lossOf(frame.capturedAt, decay) })
  }
  return candidates
}

/**
 * The score's odds are exp(L (s - typical)); halving them takes ln 2 / L from the similarity. What lies in the future by
 * a device's wrong clock gains nothing.
 */
function lossOf(capturedAt: number, decay: Decay | undefined): number {
  if (decay === undefined) return 0
  const halfLives = Math.max(0, decay.at - capturedAt) / (decay.halfLifeHours * HOUR_MS)
  // Finite however short a half-life is: a cursor holds the rank.
  return Math.min(Number.MAX_VALUE, (Math.LN2 * halfLives) / decay.logitScale)
}

export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
