import type { SeqSet } from '@sightline/core'
import { fault } from '@sightline/core/errors.js'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { StoredIncident } from './fold-incident.ts'
import type { Frame, NodeRecord, QuarantineEntry, Review, RuleDocument } from './record-store.ts'

/** Layout of the tables; a change of it comes with a migration. */
const FORMAT = 1

const MAX_TABLES = 64

/** A frame as it lies on disk: the id is made of the rest, and vector and thumbnail have tables of their own. */
export type FrameRow = Omit<Frame, 'ord' | 'id'>

/** Tables of one LMDB environment, so that one transaction spans them all. */
export interface Tables {
  readonly root: RootDatabase
  /** ord -> frame. */
  readonly frames: Database<FrameRow, number>
  /** ord -> little-endian float32. Apart from the frames, so that listing frames does not read vectors. */
  readonly vectors: Database<Buffer, number>
  /** ord -> JPEG. */
  readonly thumbnails: Database<Buffer, number>
  /** frame id -> ord. */
  readonly ords: Database<number, string>
  /** [site~node~camera, ord] -> true: the newest frames of a camera without reading the others'. */
  readonly byCamera: Database<true, [string, number]>
  /** [tag, ord] -> true. */
  readonly byTag: Database<true, [string, number]>
  /** tag -> how many frames have it. */
  readonly tags: Database<number, string>
  /** site~node~camera -> true. */
  readonly cameras: Database<true, string>
  /** site~node~session -> sequence numbers stored. */
  readonly sessions: Database<SeqSet, string>
  readonly incidents: Database<StoredIncident, string>
  /** [startedAt, id] -> true. */
  readonly incidentsByStart: Database<true, [number, string]>
  /** Incident id -> what a person said of it. */
  readonly reviews: Database<Review, string>
  /** [at, incident] -> true. */
  readonly reviewsByTime: Database<true, [number, string]>
  /** [rule, at, incident] -> true, for every rule that the review's labels name. */
  readonly reviewsByRule: Database<true, [string, number, string]>
  readonly nodes: Database<NodeRecord, string>
  readonly rules: Database<RuleDocument, string>
  readonly quarantine: Database<QuarantineEntry, number>
  /** Counters that never go back. */
  readonly counters: Database<number, string>
}

/** @throws STORE_FAILED when a newer hub has written the tables */
export async function openTables(path: string): Promise<Tables> {
  // With overlapping sync a commit resolves before it is on disk; acknowledgements rest on these commits.
  const root = open({ path, maxDbs: MAX_TABLES, overlappingSync: false, compression: false })
  const tables = tablesOf(root)
  const format = tables.counters.get('format')
  if (format === undefined) await tables.counters.put('format', FORMAT)
  else if (format > FORMAT) {
    await root.close()
    throw fault('STORE_FAILED', `written by a newer hub: format ${format}, this one knows ${FORMAT}`)
  }
  return tables
}

/** For a second reader in the same process, on a thread of its own; tables that nobody has made yet cannot be opened. */
export function openFrameTables(path: string): Pick<Tables, 'root' | 'frames' | 'vectors'> {
  const root = open({ path, maxDbs: MAX_TABLES, overlappingSync: false, compression: false, readOnly: true })
  return {
    root,
    frames: root.openDB('frames', {}),
    vectors: root.openDB('vectors', { encoding: 'binary' }),
  }
}

function tablesOf(root: RootDatabase): Tables {
  return {
    root,
    frames: root.openDB('frames', {}),
    vectors: root.openDB('vectors', { encoding: 'binary' }),
    thumbnails: root.openDB('thumbnails', { encoding: 'binary' }),
    ords: root.openDB('ords', {}),
    byCamera: root.openDB('frames-by-camera', {}),
    byTag: root.openDB('frames-by-tag', {}),
    tags: root.openDB('tags', {}),
    cameras: root.openDB('cameras', {}),
    sessions: root.openDB('sessions', {}),
    incidents: root.openDB('incidents', {}),
    incidentsByStart: root.openDB('incidents-by-start', {}),
    reviews: root.openDB('reviews', {}),
    reviewsByTime: root.openDB('reviews-by-time', {}),
    reviewsByRule: root.openDB('reviews-by-rule', {}),
    nodes: root.openDB('nodes', {}),
    rules: root.openDB('rules', {}),
    quarantine: root.openDB('quarantine', {}),
    counters: root.openDB('counters', {}),
  }
}

export function rowCount(table: Database): number {
  return (table.getStats() as { entryCount: number }).entryCount
}

export function sessionKey(site: string, node: string, session: string): string {
  return `${site}~${node}~${session}`
}
