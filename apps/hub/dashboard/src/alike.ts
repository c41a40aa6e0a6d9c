import type { Frame, Hit } from './api-types.ts'

/** Frames that stand for one picture: a camera that looks at the same thing again and again. */
export interface Stack {
  /** The first of them in the order of the hits. */
  readonly top: Frame | Hit
  readonly frames: readonly (Frame | Hit)[]
}

const SAME_SIMILARITY = 1e-5

/**
 * Stacks hits of one camera that the query and every rule see as the same: equal similarity, and equal in the eyes of
 * each rule that judged both (rules may have come or gone between them). The order of the first ones stays. Frames
 * without a similarity stand alone.
 */
export function stackAlike(frames: readonly (Frame | Hit)[]): Stack[] {
  const stacks: { top: Frame | Hit; frames: (Frame | Hit)[] }[] = []
  for (const frame of frames) {
    const stack = stacks.find(({ top }) => alike(top, frame))
    if (stack === undefined) stacks.push({ top: frame, frames: [frame] })
    else stack.frames.push(frame)
  }
  return stacks
}

function alike(a: Frame | Hit, b: Frame | Hit): boolean {
  if (!('similarity' in a && 'similarity' in b)) return false
  return (
    a.camera === b.camera &&
    a.node === b.node &&
    a.site === b.site &&
    Math.abs(a.similarity - b.similarity) <= SAME_SIMILARITY &&
    agree(a, b)
  )
}

function agree(a: Frame, b: Frame): boolean {
  return a.verdicts.every(verdict => {
    const other = b.verdicts.find(({ rule }) => rule === verdict.rule)
    return other === undefined || Math.abs(other.similarity - verdict.similarity) <= SAME_SIMILARITY
  })
}
