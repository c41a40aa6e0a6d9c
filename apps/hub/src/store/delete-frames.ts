import { frameMatches, namesSources, sourceMatches, timeMatches } from './frame-filter.ts'
import type { FrameRow, Tables } from './lmdb-tables.ts'
import {
  type CameraName,
  type DeletedFrames,
  type DeletedIncidents,
  type FrameDeletion,
  type FrameFilter,
  frameId,
  type IncidentFilter,
  type OrdRange,
} from './record-store.ts'
import { removeReview } from './review-rows.ts'
import { moveTags } from './tag-rows.ts'

/** Beyond so many cameras all frames are looked at rather than each camera's. */
const MAX_LISTS = 64

export function camerasOf({ cameras }: Tables): CameraName[] {
  return [...cameras.getKeys()].map(source => {
    const [site, node, camera] = source.split('~') as [string, string, string]
    return { site, node, camera }
  })
}

/** Numbers of stored frames, of all cameras or of one. */
export function listOrds(tables: Tables, range: OrdRange): number[] {
  const { camera, after = 0, upTo = Number.MAX_SAFE_INTEGER, limit, newestFirst = false } = range
  const first = newestFirst ? upTo : after + 1
  const end = newestFirst ? after : upTo + 1
  const options = { limit, reverse: newestFirst }
  if (camera === undefined) return [...tables.frames.getKeys({ start: first, end, ...options })]
  const source = `${camera.site}~${camera.node}~${camera.camera}`
  const keys = tables.byCamera.getKeys({
    start: [source, first] as [string, number],
    end: [source, end] as [string, number],
    ...options,
  })
  return [...keys].map(([, ord]) => ord)
}

/** Frames of one step, looked at before anything is written: most steps of a sweep find nothing. */
export interface FoundFrames {
  readonly ords: readonly number[]
  readonly next: number | undefined
}

export function findFrames(tables: Tables, deletion: FrameDeletion): FoundFrames {
  const { filter, after, upTo = Number.POSITIVE_INFINITY, rows } = deletion
  const looked = nextOrds(tables, deletion)
  const last = looked.at(-1) ?? after
  return {
    ords: looked.filter(ord => {
      const frame = tables.frames.get(ord)
      return frame !== undefined && frameMatches(filter, frame)
    }),
    next: looked.length < rows || last >= upTo ? undefined : last,
  }
}

type Measured = Omit<DeletedFrames, 'next'>

export function measureFrames(tables: Tables, found: readonly number[]): Measured {
  return measured(tables, found, () => {})
}

/** Inside a transaction. */
export function removeFrames(tables: Tables, found: readonly number[]): Measured {
  return measured(tables, found, (ord, frame) => removeFrame(tables, ord, frame))
}

function measured(
  tables: Tables,
  found: readonly number[],
  take: (ord: number, frame: FrameRow) => void,
): Measured {
  const ords: number[] = []
  let thumbnails = 0
  let bytes = 0
  let receivedFrom: number | undefined
  for (const ord of found) {
    const frame = tables.frames.get(ord)
    if (frame === undefined) continue
    bytes += tables.vectors.getBinaryFast(ord)?.length ?? 0
    const thumbnail = tables.thumbnails.getBinaryFast(ord)?.length
    if (thumbnail !== undefined) thumbnails++
    bytes += thumbnail ?? 0
    receivedFrom = Math.min(frame.receivedAt, receivedFrom ?? Number.POSITIVE_INFINITY)
    take(ord, frame)
    ords.push(ord)
  }
  return { ords, thumbnails, bytes, receivedFrom }
}

function nextOrds(tables: Tables, { filter, after, upTo, rows }: FrameDeletion): number[] {
  const range = { after, upTo, limit: rows }
  const cameras = namesSources(filter)
    ? camerasOf(tables).filter(camera => sourceMatches(filter, camera))
    : undefined
  if (cameras === undefined || cameras.length > MAX_LISTS) return listOrds(tables, range)
  return cameras
    .flatMap(camera => listOrds(tables, { ...range, camera }))
    .sort((a, b) => a - b)
    .slice(0, rows)
}

function removeFrame(tables: Tables, ord: number, row: FrameRow): void {
  const { site, node, camera, session, seq, tags = [] } = row
  tables.frames.remove(ord)
  tables.vectors.remove(ord)
  tables.thumbnails.remove(ord)
  tables.ords.remove(frameId(site, node, session, seq))
  tables.byCamera.remove([`${site}~${node}~${camera}`, ord])
  moveTags(tables, ord, tags, [])
}

/** Inside a transaction. */
export function forgetEmptyCameras(tables: Tables, filter: FrameFilter): void {
  for (const camera of camerasOf(tables)) {
    if (!sourceMatches(filter, camera) || listOrds(tables, { camera, limit: 1 }).length > 0) continue
    tables.cameras.remove(`${camera.site}~${camera.node}~${camera.camera}`)
  }
}

/** Inside a transaction: incidents that began and ended within the filter's time, with what was said of them. */
export function deleteIncidents(tables: Tables, filter: IncidentFilter, limit: number): DeletedIncidents {
  let incidents = 0
  let reviews = 0
  for (const [startedAt, id] of [...incidentsWithin(tables, filter)]) {
    tables.incidents.remove(id)
    tables.incidentsByStart.remove([startedAt, id])
    if (removeReview(tables, id) !== undefined) reviews++
    if (++incidents === limit) return { incidents, reviews, more: true }
  }
  return { incidents, reviews, more: false }
}

export function measureIncidents(tables: Tables, filter: IncidentFilter): Omit<DeletedIncidents, 'more'> {
  const ids = [...incidentsWithin(tables, filter)].map(([, id]) => id)
  return { incidents: ids.length, reviews: ids.filter(id => tables.reviews.doesExist(id)).length }
}

function* incidentsWithin(tables: Tables, filter: IncidentFilter): Generator<[number, string]> {
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = filter
  const range = { start: [from, ''] as [number, string], end: [to, ''] as [number, string] }
  for (const [startedAt, id] of tables.incidentsByStart.getKeys(range)) {
    const incident = tables.incidents.get(id)
    if (incident === undefined || !sourceMatches(filter, incident)) continue
    // One that goes on beyond the time is part of what stays.
    if (timeMatches({ to }, incident.endedAt ?? incident.updatedAt)) yield [startedAt, id]
  }
}
