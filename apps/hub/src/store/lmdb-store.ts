import { mkdirSync } from 'node:fs'
import {
  addSeqs,
  type Clock,
  EMPTY_SEQ_SET,
  fault,
  hasSeq,
  isFault,
  type Log,
  messageOf,
  type SeqSet,
  toRanges,
  vectorToBytes,
} from '@sightline/core'
import { DiskGuard } from './disk-guard.ts'
import { foldIncident, publicIncident } from './fold-incident.ts'
import { newestFrames } from './frame-list.ts'
import { type FrameRow, openTables, rowCount, type Tables } from './lmdb-tables.ts'
import {
  type AppendResult,
  type Delivery,
  type EmbeddedFrame,
  type Frame,
  type FrameFilter,
  frameId,
  type Incident,
  type IncidentFilter,
  type NewFrame,
  type NodeRecord,
  type QuarantineEntry,
  type RecordStore,
  type RuleDocument,
  type StoreCounts,
} from './record-store.ts'

const MAX_QUARANTINED = 1000
/** Rows read by one listing at most, so that a filter that matches nothing cannot read the whole store. */
const MAX_LISTED = 100_000

export interface LmdbStoreOptions {
  readonly dir: string
  readonly clock: Clock
  readonly log: Log
  /** Free disk space below which every write is refused. Default 256 MiB. */
  readonly minFreeBytes?: number
}

/** @throws STORE_FAILED when the directory cannot be used */
export async function openLmdbStore({
  dir,
  clock,
  log,
  minFreeBytes = 256 * 2 ** 20,
}: LmdbStoreOptions): Promise<RecordStore> {
  try {
    mkdirSync(dir, { recursive: true })
    const tables = openTables(dir)
    const store = new LmdbStore({ tables, guard: new DiskGuard({ dir, minFreeBytes, clock }) })
    log.info({ dir, ...store.counts() }, 'store opened')
    return store
  } catch (cause) {
    throw fault('STORE_FAILED', `the store in ${dir} cannot be opened: ${messageOf(cause)}`, { cause })
  }
}

class LmdbStore implements RecordStore {
  readonly #tables: Tables
  readonly #guard: DiskGuard
  #nextOrd: number

  constructor({ tables, guard }: { tables: Tables; guard: DiskGuard }) {
    this.#tables = tables
    this.#guard = guard
    this.#nextOrd = (tables.counters.get('ord') ?? 0) + 1
  }

  append(delivery: Delivery): Promise<AppendResult> {
    return this.#write(() => this.#apply(delivery))
  }

  stored(site: string, node: string, session: string): SeqSet {
    return this.#tables.sessions.get(sessionKey(site, node, session)) ?? EMPTY_SEQ_SET
  }

  frame(id: string): EmbeddedFrame | undefined {
    const ord = this.#tables.ords.get(id)
    return ord === undefined ? undefined : this.frameByOrd(ord)
  }

  frameByOrd(ord: number): EmbeddedFrame | undefined {
    const row = this.#tables.frames.get(ord)
    return row === undefined ? undefined : this.#embedded(ord, row)
  }

  thumbnail(id: string): Uint8Array | undefined {
    const ord = this.#tables.ords.get(id)
    return ord === undefined ? undefined : this.#tables.thumbnails.get(ord)
  }

  *scan(after: number): Iterable<EmbeddedFrame> {
    for (const { key, value } of this.#tables.frames.getRange({ start: after + 1 }))
      yield this.#embedded(key, value)
  }

  recent(filter: FrameFilter, limit: number): Frame[] {
    return newestFrames(this.#tables, filter, { limit, maxRows: MAX_LISTED }).map(ord =>
      listed(ord, this.#tables.frames.get(ord)!),
    )
  }

  incident(id: string): Incident | undefined {
    const found = this.#tables.incidents.get(id)
    return found && publicIncident(found)
  }

  incidents(filter: IncidentFilter, limit: number): Incident[] {
    const { from = 0, to = Number.MAX_SAFE_INTEGER, open } = filter
    const found: Incident[] = []
    const range = {
      start: [to, ''] as [number, string],
      end: [from, ''] as [number, string],
      reverse: true,
      limit: MAX_LISTED,
    }
    for (const [, id] of this.#tables.incidentsByStart.getKeys(range)) {
      const incident = this.incident(id)
      if (incident === undefined) continue
      if (open !== undefined && (incident.endedAt === null) !== open) continue
      const names = ['site', 'node', 'camera', 'rule'] as const
      if (names.some(name => filter[name] !== undefined && filter[name] !== incident[name])) continue
      if (found.push(incident) === limit) break
    }
    return found
  }

  nodes(): NodeRecord[] {
    return [...this.#tables.nodes.getRange()].map(({ value }) => value)
  }

  updateNode(
    site: string,
    node: string,
    change: Partial<Pick<NodeRecord, 'state' | 'stats'>> & { seenAt: number },
  ): Promise<void> {
    const { seenAt, ...rest } = change
    return this.#write(() => this.#touchNode(site, node, { ...rest, lastSeenAt: seenAt }))
  }

  rules(): RuleDocument | undefined {
    return this.#tables.rules.get('current')
  }

  putRules(document: RuleDocument): Promise<void> {
    return this.#write(() => {
      this.#tables.rules.put('current', document)
    })
  }

  quarantine(entry: QuarantineEntry): Promise<void> {
    return this.#write(() => {
      const { counters, quarantine } = this.#tables
      const number = (counters.get('quarantine') ?? 0) + 1
      counters.put('quarantine', number)
      quarantine.put(number, entry)
      quarantine.remove(number - MAX_QUARANTINED)
    })
  }

  quarantined(): QuarantineEntry[] {
    return [...this.#tables.quarantine.getRange({ reverse: true })].map(({ value }) => value)
  }

  counts(): StoreCounts {
    const { frames, incidents, thumbnails } = this.#tables
    return { frames: rowCount(frames), incidents: rowCount(incidents), thumbnails: rowCount(thumbnails) }
  }

  async close(): Promise<void> {
    await this.#tables.root.close()
  }

  /** Transactions queued in one turn of the event loop share a commit: that is the group commit. */
  async #write<T>(action: () => T): Promise<T> {
    this.#guard.check()
    let failure: unknown
    let result: T | undefined
    try {
      // A child transaction: when one delivery fails, it is undone alone and its neighbours are stored.
      await this.#tables.root.childTransaction(() => {
        try {
          result = action()
        } catch (error) {
          failure = error
          throw error
        }
      })
    } catch (cause) {
      if (isFault(failure)) throw failure
      throw fault('STORE_FAILED', `the store could not write: ${messageOf(failure ?? cause)}`, {
        cause: failure ?? cause,
      })
    }
    return result as T
  }

  /** Runs inside a transaction, which also orders concurrent deliveries. */
  #apply(delivery: Delivery): AppendResult {
    const { site, node, session, frames, events, skipped, receivedAt } = delivery
    const { sessions, incidents, incidentsByStart } = this.#tables
    const key = sessionKey(site, node, session)
    const before = sessions.get(key) ?? EMPTY_SEQ_SET
    const taken = new Set<number>()
    const isNew = ({ seq }: { seq: number }) =>
      !hasSeq(before, seq) && !taken.has(seq) && taken.add(seq) !== undefined

    const added = frames.filter(isNew).map(frame => this.#putFrame(delivery, frame))
    const changed = new Map<string, Incident>()
    for (const event of events.filter(isNew)) {
      const known = incidents.get(event.incident)
      const incident = foldIncident(known, { site, node }, event)
      incidents.put(incident.id, incident)
      if (known === undefined) incidentsByStart.put([incident.startedAt, incident.id], true)
      changed.set(incident.id, publicIncident(incident))
    }
    const stored = addSeqs(before, [...toRanges([...taken]), ...skipped])
    sessions.put(key, stored)
    this.#touchNode(site, node, {
      lastSeenAt: receivedAt,
      ...(added.length > 0 ? { lastDataAt: receivedAt } : {}),
    })
    return {
      stored,
      frames: added,
      incidents: [...changed.values()],
      duplicates: frames.length + events.length - taken.size,
    }
  }

  #putFrame(delivery: Delivery, frame: NewFrame): EmbeddedFrame {
    const { frames, vectors, thumbnails, ords, byCamera, cameras, counters } = this.#tables
    const { site, node, session, receivedAt, historical, fingerprint } = delivery
    const { seq, camera, capturedAt, verdicts, vector, thumbnail } = frame
    const ord = this.#nextOrd++
    const row: FrameRow = {
      site,
      node,
      camera,
      session,
      seq,
      capturedAt,
      receivedAt,
      historical,
      fingerprint,
      verdicts,
      hasThumbnail: thumbnail !== undefined,
    }
    const source = `${site}~${node}~${camera}`
    counters.put('ord', ord)
    frames.put(ord, row)
    vectors.put(ord, Buffer.from(vectorToBytes(vector).buffer))
    if (thumbnail !== undefined) thumbnails.put(ord, Buffer.from(thumbnail))
    ords.put(frameId(site, node, session, seq), ord)
    if (!cameras.doesExist(source)) cameras.put(source, true)
    byCamera.put([source, ord], true)
    return { ...listed(ord, row), vector }
  }

  #touchNode(site: string, node: string, change: Partial<NodeRecord> & { lastSeenAt: number }): void {
    const key = `${site}~${node}`
    const known = this.#tables.nodes.get(key) ?? {
      site,
      node,
      firstSeenAt: change.lastSeenAt,
      lastSeenAt: 0,
      lastDataAt: null,
      state: null,
      stats: null,
    }
    this.#tables.nodes.put(key, {
      ...known,
      ...change,
      lastSeenAt: Math.max(known.lastSeenAt, change.lastSeenAt),
    })
  }

  #embedded(ord: number, row: FrameRow): EmbeddedFrame {
    const bytes = this.#tables.vectors.get(ord)
    if (bytes === undefined) throw fault('STORE_FAILED', `frame ${ord} has no vector`)
    return { ...listed(ord, row), vector: new Float32Array(new Uint8Array(bytes).buffer) }
  }
}

function listed(ord: number, row: FrameRow): Frame {
  return { ord, id: frameId(row.site, row.node, row.session, row.seq), ...row }
}

function sessionKey(site: string, node: string, session: string): string {
  return `${site}~${node}~${session}`
}
