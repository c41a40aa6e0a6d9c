import type { Frame, Neighbours } from './api-types.ts'

/** Frames of one camera in the order in which it saw them, around the one that was asked about. */
export function timelineOf(frame: Frame, { before, after }: Neighbours): Frame[] {
  return [...[...before].reverse(), frame, ...after]
}

/** The frame so many steps later (or earlier); undefined at the ends, and when the frame is not of this timeline. */
export function beside(timeline: readonly Frame[], id: string, steps: number): Frame | undefined {
  const at = timeline.findIndex(frame => frame.id === id)
  return at < 0 ? undefined : timeline[at + steps]
}
