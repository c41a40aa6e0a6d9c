import { mkdirSync } from 'node:fs'
import {
  type Clock,
  EMPTY_SEQ_SET,
  type FailPoint,
  fault,
  isFault,
  type Log,
  messageOf,
  type SeqSet,
} from '@sightline/core'
import type { RootDatabase } from 'lmdb'
import { applyDelivery } from './apply-delivery.ts'
import { Committer } from './committer.ts'
import {
  camerasOf,
  deleteIncidents,
  findFrames,
  forgetEmptyCameras,
  listOrds,
  measureFrames,
  measureIncidents,
  removeFrames,
} from './delete-frames.ts'
import { DiskGuard } from './disk-guard.ts'
import { publicIncident } from './fold-incident.ts'
import { sourceMatches } from './frame-filter.ts'
import { newestFrames } from './frame-list.ts'
import { embeddedFrame, listedFrame, scanFrames } from './frame-rows.ts'
import { openTables, rowCount, sessionKey, type Tables } from './lmdb-tables.ts'
import { touchNode } from './node-rows.ts'
import { listPictures, putPictures } from './picture-rows.ts'
import { putQuarantined, removeQuarantined } from './quarantine-rows.ts'
import type {
  AppendResult,
  CameraName,
  DeletedFrames,
  DeletedIncidents,
  Delivery,
  EmbeddedFrame,
  Frame,
  FrameDeletion,
  FrameFilter,
  FrameSource,
  Incident,
  IncidentFilter,
  Label,
  NodeRecord,
  OrdRange,
  PictureChange,
  QuarantineEntry,
  RecordStore,
  Review,
  RuleDocument,
  StoreCounts,
  StoredPicture,
  TagChange,
  TagCount,
} from './record-store.ts'
import { newestLabels, putReview, removeReview } from './review-rows.ts'
import { changeTags, listTags, taggedOrds } from './tag-rows.ts'

/** Rows read by one listing at most, so that a filter that matches nothing cannot read the whole store. */
const MAX_LISTED = 100_000
/** Incidents looked at for those that go on, which are few: every dashboard asks, and a thousand take 4 ms of one core. */
const MAX_OPEN_SOUGHT = 5000

export interface LmdbStoreOptions {
  readonly dir: string
  readonly clock: Clock
  readonly log: Log
  /** Free disk space below which every write is refused. Default 256 MiB. */
  readonly minFreeBytes?: number
  /** Called at `before commit` and `after commit`; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** The environment that the records lie in, for other tables beside them. */
export interface StoreEnvironment {
  readonly root: RootDatabase
  readonly committer: Pick<Committer, 'run'>
}

export type LmdbRecordStore = RecordStore & { readonly environment: StoreEnvironment }

/** @throws STORE_FAILED when the directory cannot be used */
export async function openLmdbStore({
  dir,
  clock,
  log,
  minFreeBytes = 256 * 2 ** 20,
  failPoint,
}: LmdbStoreOptions): Promise<LmdbRecordStore> {
  try {
    mkdirSync(dir, { recursive: true })
    const tables = await openTables(dir)
    const guard = new DiskGuard({ dir, minFreeBytes, clock })
    const store = new LmdbStore({
      dir,
      tables,
      committer: new Committer({ root: tables.root, guard, failPoint }),
    })
    log.info({ dir, ...store.counts() }, 'store opened')
    return store
  } catch (cause) {
    if (isFault(cause)) throw cause
    throw fault('STORE_FAILED', `the store in ${dir} cannot be opened: ${messageOf(cause)}`, { cause })
  }
}

class LmdbStore implements RecordStore {
  readonly #dir: string
  readonly #tables: Tables
  readonly #committer: Committer

  constructor({ dir, tables, committer }: { dir: string; tables: Tables; committer: Committer }) {
    this.#dir = dir
    this.#tables = tables
    this.#committer = committer
  }

  get environment(): StoreEnvironment {
    return { root: this.#tables.root, committer: this.#committer }
  }

  append(delivery: Delivery): Promise<AppendResult> {
    return this.#committer.run(() => applyDelivery(this.#tables, delivery))
  }

  stored(site: string, node: string, session: string): SeqSet {
    return this.#tables.sessions.get(sessionKey(site, node, session)) ?? EMPTY_SEQ_SET
  }

  frame(id: string): EmbeddedFrame | undefined {
    const ord = this.#tables.ords.get(id)
    return ord === undefined ? undefined : this.frameByOrd(ord)
  }

  ordOf(id: string): number | undefined {
    return this.#tables.ords.get(id)
  }

  frameByOrd(ord: number): EmbeddedFrame | undefined {
    const row = this.#tables.frames.get(ord)
    return row === undefined ? undefined : embeddedFrame(this.#tables, ord, row)
  }

  thumbnail(id: string): Uint8Array | undefined {
    const ord = this.#tables.ords.get(id)
    return ord === undefined ? undefined : this.#tables.thumbnails.get(ord)
  }

  pictures(after: number, limit: number): StoredPicture[] {
    return listPictures(this.#tables, after, limit)
  }

  putPictures(changes: readonly PictureChange[]): Promise<void> {
    return this.#committer.run(() => putPictures(this.#tables, changes))
  }

  scan(after: number): Iterable<EmbeddedFrame> {
    return scanFrames(this.#tables, after)
  }

  frameSource(): FrameSource {
    return { kind: 'lmdb', dir: this.#dir }
  }

  lastOrd(): number {
    return this.#tables.counters.get('ord') ?? 0
  }

  ords(range: OrdRange): number[] {
    return listOrds(this.#tables, range)
  }

  cameras(): CameraName[] {
    return camerasOf(this.#tables)
  }

  async deleteFrames(deletion: FrameDeletion): Promise<DeletedFrames> {
    const { ords, next } = findFrames(this.#tables, deletion)
    if (ords.length === 0) return { ...measureFrames(this.#tables, []), next }
    return this.#committer.run(() => {
      const removed = removeFrames(this.#tables, ords)
      forgetEmptyCameras(this.#tables, deletion.filter)
      return { ...removed, next }
    })
  }

  measureFrames(deletion: FrameDeletion): DeletedFrames {
    const { ords, next } = findFrames(this.#tables, deletion)
    return { ...measureFrames(this.#tables, ords), next }
  }

  measureIncidents(filter: IncidentFilter): Omit<DeletedIncidents, 'more'> {
    return measureIncidents(this.#tables, filter)
  }

  deleteIncidents(filter: IncidentFilter, limit: number): Promise<DeletedIncidents> {
    return this.#committer.run(() => deleteIncidents(this.#tables, filter, limit))
  }

  deleteNode(site: string, node: string): Promise<boolean> {
    const key = `${site}~${node}`
    return this.#committer.run(() => {
      const known = this.#tables.nodes.doesExist(key)
      this.#tables.nodes.remove(key)
      return known
    })
  }

  changeTags(change: TagChange): Promise<number> {
    return this.#committer.run(() => changeTags(this.#tables, change))
  }

  tagged(tag: string, after: number, limit: number): number[] {
    return taggedOrds(this.#tables, tag, after, limit)
  }

  tags(): TagCount[] {
    return listTags(this.#tables)
  }

  recent(filter: FrameFilter, limit: number): Frame[] {
    return newestFrames(this.#tables, filter, { limit, maxRows: MAX_LISTED }).map(ord =>
      listedFrame(ord, this.#tables.frames.get(ord)!),
    )
  }

  incident(id: string): Incident | undefined {
    const found = this.#tables.incidents.get(id)
    return found && publicIncident(found)
  }

  incidents(filter: IncidentFilter, limit: number): Incident[] {
    const { from = 0, to = Number.MAX_SAFE_INTEGER, open, reviewed } = filter
    const found: Incident[] = []
    const range = {
      start: [to, ''] as [number, string],
      end: [from, ''] as [number, string],
      reverse: true,
      limit: open === true ? MAX_OPEN_SOUGHT : MAX_LISTED,
    }
    for (const [, id] of this.#tables.incidentsByStart.getKeys(range)) {
      const incident = this.incident(id)
      if (incident === undefined) continue
      if (open !== undefined && (incident.endedAt === null) !== open) continue
      if (reviewed !== undefined && this.#tables.reviews.doesExist(id) !== reviewed) continue
      if ((filter.rule ?? incident.rule) !== incident.rule || !sourceMatches(filter, incident)) continue
      if (found.push(incident) === limit) break
    }
    return found
  }

  putReview(review: Review): Promise<void> {
    return this.#committer.run(() => putReview(this.#tables, review))
  }

  removeReview(incident: string): Promise<Review | undefined> {
    return this.#committer.run(() => removeReview(this.#tables, incident))
  }

  review(incident: string): Review | undefined {
    return this.#tables.reviews.get(incident)
  }

  labels({ rule }: { readonly rule?: string | undefined }, limit: number): Label[] {
    return newestLabels(this.#tables, rule, limit)
  }

  nodes(): NodeRecord[] {
    return [...this.#tables.nodes.getRange()].map(({ value }) => value)
  }

  node(site: string, node: string): NodeRecord | undefined {
    return this.#tables.nodes.get(`${site}~${node}`)
  }

  updateNode(
    site: string,
    node: string,
    change: Partial<Pick<NodeRecord, 'state' | 'stats'>> & { seenAt: number },
  ): Promise<void> {
    const { seenAt, ...rest } = change
    return this.#committer.run(() => touchNode(this.#tables, { site, node, ...rest, lastSeenAt: seenAt }))
  }

  rules(): RuleDocument | undefined {
    return this.#tables.rules.get('current')
  }

  putRules(document: RuleDocument): Promise<void> {
    return this.#committer.run(() => {
      this.#tables.rules.put('current', document)
    })
  }

  quarantine(entry: QuarantineEntry): Promise<void> {
    return this.#committer.run(() => putQuarantined(this.#tables, entry))
  }

  quarantined(): QuarantineEntry[] {
    return [...this.#tables.quarantine.getRange({ reverse: true })].map(({ value }) => value)
  }

  deleteQuarantined(matches: (entry: QuarantineEntry) => boolean): Promise<number> {
    return this.#committer.run(() => removeQuarantined(this.#tables, matches))
  }

  counts(): StoreCounts {
    const { frames, incidents, thumbnails } = this.#tables
    return { frames: rowCount(frames), incidents: rowCount(incidents), thumbnails: rowCount(thumbnails) }
  }

  async close(): Promise<void> {
    await this.#tables.root.close()
  }
}
