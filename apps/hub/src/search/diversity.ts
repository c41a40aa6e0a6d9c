import { dot } from '@sightline/core'
import { turn } from './candidates.ts'
import type { Candidate } from './query.ts'

/** Cosine from which two frames of one camera are one picture; noise and compression stay above it. */
const SAME_PICTURE = 0.985
/** Picks between two turns of the event loop: at 500 candidates some 5 ms. */
const STRETCH = 16

export interface DiversePick {
  readonly candidate: Candidate
  /** Candidates of its camera that look the same, in rank order. */
  readonly alike: readonly Candidate[]
}

export interface DiversityPlan {
  /** 1: relevance alone; 0: variety alone. */
  readonly lambda: number
  readonly count: number
  /** Cosine between two stored frames that have nothing in common; variety is counted from here. */
  readonly ordinary: number
  /** Picks of before: what is like them has its place already. */
  readonly before: readonly Candidate[]
}

/**
 * Maximal marginal relevance (Carbonell and Goldstein 1998): each pick is the candidate with the most
 *
 *   lambda * relevance - (1 - lambda) * likeness to what was picked.
 *
 * Frames are far closer to one another than to words, so both sides are scaled to 0..1 first: relevance over the
 * candidates, likeness from that of ordinary pairs up to 1. A frame that shows the same as a pick of its camera goes
 * with that pick.
 */
export async function pickDiverse(
  candidates: readonly Candidate[],
  { lambda, count, ordinary, before }: DiversityPlan,
): Promise<DiversePick[]> {
  const ranks = candidates.map(({ rank }) => rank)
  const lowest = Math.min(...ranks)
  const range = Math.max(Math.max(...ranks) - lowest, 1e-9)
  let left: Waiting[] = candidates.map(candidate => ({
    candidate,
    relevance: (candidate.rank - lowest) / range,
    likeness: 0,
  }))
  const marginal = ({ relevance, likeness }: Waiting) => lambda * relevance - (1 - lambda) * likeness
  for (const [i, known] of before.entries()) {
    if (i % STRETCH === STRETCH - 1) await turn()
    left = moveApart(left, known, ordinary).left
  }
  const picks: DiversePick[] = []
  while (left.length > 0 && picks.length < count) {
    if (picks.length % STRETCH === STRETCH - 1) await turn()
    const best = left.reduce((a, b) => (marginal(b) > marginal(a) ? b : a))
    const others = left.filter(each => each !== best)
    const apart = moveApart(others, best.candidate, ordinary)
    left = apart.left
    picks.push({ candidate: best.candidate, alike: apart.alike })
  }
  return picks
}

interface Waiting {
  readonly candidate: Candidate
  readonly relevance: number
  /** To the pick that is most like it, 0 to 1. */
  likeness: number
}

/** Takes out what shows the same as `picked` and tells the others how like they are to it. */
function moveApart(
  waiting: readonly Waiting[],
  picked: Candidate,
  ordinary: number,
): { left: Waiting[]; alike: Candidate[] } {
  const left: Waiting[] = []
  const alike: Candidate[] = []
  for (const each of waiting) {
    const cosine = dot(each.candidate.frame.vector, picked.frame.vector)
    if (cosine >= SAME_PICTURE && sameCamera(each.candidate, picked)) alike.push(each.candidate)
    else {
      each.likeness = Math.max(each.likeness, (cosine - ordinary) / (1 - ordinary))
      left.push(each)
    }
  }
  return { left, alike }
}

/** Mean cosine between pairs of background frames: neighbours in the sample, which is drawn at random. */
export function ordinaryLikeness(background: readonly Float32Array[]): number {
  if (background.length < 2) return 0
  const pairs = background.slice(1).map((vector, i) => dot(vector, background[i]!))
  return Math.min(0.95, pairs.reduce((sum, cosine) => sum + cosine, 0) / pairs.length)
}

function sameCamera({ frame: a }: Candidate, { frame: b }: Candidate): boolean {
  return a.camera === b.camera && a.node === b.node && a.site === b.site
}
