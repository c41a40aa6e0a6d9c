import { frameMatches, namesSources, sourceMatches } from './frame-filter.ts'
import type { Tables } from './lmdb-tables.ts'
import type { FrameFilter } from './record-store.ts'
import { newestTagged } from './tag-rows.ts'

/**
 * Ords of the newest frames that match, newest first. Without names the frame table is read backwards; with names only
 * the cameras that match are read, each backwards, and merged; with a tag only the frames that have it.
 */
export function newestFrames(
  tables: Tables,
  filter: FrameFilter,
  { limit, maxRows }: { limit: number; maxRows: number },
): number[] {
  const lists = listsOf(tables, filter)
  const passes = rowCheck(tables, filter)
  const found = lists.flatMap(ords => {
    const taken: number[] = []
    let rows = 0
    for (const ord of ords) {
      if (rows++ >= maxRows) break
      if (passes(ord) && taken.push(ord) === limit) break
    }
    return taken
  })
  return found.sort((a, b) => b - a).slice(0, limit)
}

function listsOf(tables: Tables, filter: FrameFilter): Iterable<number>[] {
  if (filter.tag !== undefined) return [newestTagged(tables, filter.tag)]
  if (!namesSources(filter)) return [allOrds(tables)]
  return matchingCameras(tables, filter).map(camera => ordsOf(tables, camera))
}

function matchingCameras({ cameras }: Tables, filter: FrameFilter): string[] {
  return [...cameras.getKeys()].filter(source => {
    const [site, node, camera] = source.split('~') as [string, string, string]
    return sourceMatches(filter, { site, node, camera })
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

function rowCheck({ frames }: Tables, filter: FrameFilter): (ord: number) => boolean {
  const { from, to, rule, fired, tag } = filter
  // Then the lists have chosen already.
  if ([from, to, rule, fired, tag].every(part => part === undefined)) return () => true
  return ord => {
    const frame = frames.get(ord)
    return frame !== undefined && frameMatches(filter, frame)
  }
}
