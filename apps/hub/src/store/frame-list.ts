import type { Tables } from './lmdb-tables.ts'
import type { FrameFilter } from './record-store.ts'

/**
 * Ords of the newest frames that match, newest first. Without names the frame table is read backwards; with names only
 * the cameras that match are read, each backwards, and merged.
 */
export function newestFrames(
  tables: Tables,
  filter: FrameFilter,
  { limit, maxRows }: { limit: number; maxRows: number },
): number[] {
  const named = filter.site !== undefined || filter.node !== undefined || filter.camera !== undefined
  const lists = named
    ? matchingCameras(tables, filter).map(camera => ordsOf(tables, camera))
    : [allOrds(tables)]
  const inTime = timeCheck(tables, filter)
  const found = lists.flatMap(ords => {
    const taken: number[] = []
    let rows = 0
    for (const ord of ords) {
      if (rows++ >= maxRows) break
      if (inTime(ord) && taken.push(ord) === limit) break
    }
    return taken
  })
  return found.sort((a, b) => b - a).slice(0, limit)
}

function matchingCameras({ cameras }: Tables, filter: FrameFilter): string[] {
  return [...cameras.getKeys()].filter(source => {
    const [site, node, camera] = source.split('~')
    return (
      (filter.site ?? site) === site && (filter.node ?? node) === node && (filter.camera ?? camera) === camera
    )
  })
}

function allOrds({ frames }: Tables): Iterable<number> {
  return frames.getKeys({ reverse: true })
}

function* ordsOf({ byCamera }: Tables, source: string): Iterable<number> {
  const range = {
    start: [source, Number.MAX_SAFE_INTEGER] as [string, number],
    end: [source, 0] as [string, number],
  }
  for (const [, ord] of byCamera.getKeys({ ...range, reverse: true })) yield ord
}

function timeCheck({ frames }: Tables, { from, to }: FrameFilter): (ord: number) => boolean {
  if (from === undefined && to === undefined) return () => true
  return ord => {
    const at = frames.get(ord)?.capturedAt ?? Number.NaN
    return at >= (from ?? Number.NEGATIVE_INFINITY) && at < (to ?? Number.POSITIVE_INFINITY)
  }
}
