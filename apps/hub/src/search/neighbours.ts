import type { Frame, RecordStore } from '../store/record-store.ts'

/** Frames around it in order of arrival that are looked at, for each that is wanted: a backlog comes late. */
const REACH = 4

/**
 * Frames of the same camera before and after one, nearest first. The store lists a camera by arrival; among the frames
 * that arrived around this one, capture time decides.
 */
export function neighboursOf(
  frame: Frame,
  limit: number,
  store: Pick<RecordStore, 'ords' | 'frameByOrd'>,
): { before: Frame[]; after: Frame[] } {
  const reach = { camera: frame, limit: REACH * limit }
  const around = [
    ...store.ords({ ...reach, upTo: frame.ord - 1, newestFirst: true }),
    ...store.ords({ ...reach, after: frame.ord }),
  ]
    .flatMap(ord => store.frameByOrd(ord) ?? [])
    .sort((a, b) => a.capturedAt - b.capturedAt || a.ord - b.ord)
  const isEarlier = ({ capturedAt, ord }: Frame) =>
    capturedAt < frame.capturedAt || (capturedAt === frame.capturedAt && ord < frame.ord)
  return {
    before: around.filter(isEarlier).reverse().slice(0, limit),
    after: around.filter(each => !isEarlier(each)).slice(0, limit),
  }
}
