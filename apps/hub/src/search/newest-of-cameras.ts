import { sourceMatches } from '../store/frame-filter.ts'
import type { Frame, FrameFilter, RecordStore } from '../store/record-store.ts'
import { turn } from './candidates.ts'

/** Cameras read between two turns of the event loop: a few milliseconds. */
const STRETCH = 32

/** The newest matching frame of each camera that ever stored one, the newest of all first; `limit` cameras at most. */
export async function newestOfCameras(
  store: Pick<RecordStore, 'cameras' | 'recent'>,
  { filter, limit }: { readonly filter: FrameFilter; readonly limit: number },
): Promise<Frame[]> {
  const cameras = store.cameras().filter(camera => sourceMatches(filter, camera))
  const newest: Frame[] = []
  for (const [i, camera] of cameras.entries()) {
    if (i % STRETCH === STRETCH - 1) await turn()
    newest.push(...store.recent({ ...filter, ...camera }, 1))
  }
  return newest.sort((a, b) => b.ord - a.ord).slice(0, limit)
}
