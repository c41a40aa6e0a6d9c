import { mkdir } from 'node:fs/promises'
import {
  type Ack,
  type Clock,
  type FailPoint,
  fault,
  isFault,
  type Log,
  messageOf,
  noFailPoint,
  type SeqRange,
} from '@sightline/core'
import { type Database, type Key, open, type RootDatabase } from 'lmdb'
import type { IncidentStep } from '../moderation/incidents.ts'
import { Ledger, type RecordKind, type Totals } from './ledger.ts'
import {
  decodeEvent,
  decodeFrame,
  diskBytes,
  encodeEvent,
  encodeFrame,
  type FrameRecord,
  type OutgoingEvent,
  type OutgoingFrame,
} from './records.ts'
import { type Need, type OutboxLimits, Room } from './room.ts'

export interface OutboxOptions {
  readonly dir: string
  readonly limits: OutboxLimits
  readonly clock: Clock
  readonly log: Log
  /** Gives a ULID. */
  readonly newId: () => string
  readonly freeBytes?: (dir: string) => Promise<number>
  /** Called at `before commit` and `after commit`; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** Which records a reader wants: `from` <= seq < `below`, none of `except`, oldest first. */
export interface Selection {
  readonly from: number
  readonly below: number
  readonly except: ReadonlySet<number>
}

interface Identity {
  readonly session: string
  readonly owner: string
}

interface Work extends Need {
  readonly run: (totals: Totals) => void
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

const NOTHING = { bytes: 0, vital: true }

/**
 * What the hub has not stored yet. A record is durable when `append` resolves, and leaves when an ack of this outbox's
 * session covers it, or when space runs out: then the oldest thumbnails go first, then the oldest frames, incidents last,
 * and the numbers of what went are kept as skipped. Frames and events share one sequence, which is never reused.
 */
export class Outbox {
  readonly session: string
  readonly #options: OutboxOptions
  readonly #env: RootDatabase
  readonly #ledger: Ledger
  readonly #room: Room
  /** Names this process: two that gave out the same numbers would lose records at the hub. The last to open wins. */
  readonly #owner: string
  readonly #identity: Database<string, string>
  readonly #works: Work[] = []
  #totals: Readonly<Totals>
  #committing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #onAppend = () => {}

  private constructor(options: OutboxOptions, env: RootDatabase, { session, owner }: Identity) {
    this.#options = options
    this.#env = env
    this.session = session
    this.#owner = owner
    this.#identity = env.openDB('identity', {})
    this.#ledger = new Ledger(env)
    this.#room = new Room(options)
    this.#totals = this.#ledger.totals()
  }

  /** @throws STORE_FAILED */
  static async open(options: OutboxOptions): Promise<Outbox> {
    try {
      await mkdir(options.dir, { recursive: true })
      // Without overlappingSync a commit resolves only when it is on disk.
      const env = open({ path: options.dir, noSubdir: false, overlappingSync: false, maxDbs: 16 })
      const identity = env.openDB<string, string>('identity', {})
      const owner = options.newId()
      const session = await env.transaction(() => {
        const known = identity.get('session') ?? options.newId()
        identity.putSync('session', known)
        identity.putSync('owner', owner)
        return known
      })
      return new Outbox(options, env, { session, owner })
    } catch (cause) {
      throw storeFault('cannot open the outbox', cause)
    }
  }

  /** The number that the next record will get. */
  get next(): number {
    return this.#totals.next
  }

  get counts(): Omit<Totals, 'next'> {
    const { next: _, ...counts } = this.#totals
    return counts
  }

  /** Called after every commit that added records. */
  onAppend(listener: () => void): void {
    this.#onAppend = listener
  }

  /**
   * Stores a frame and, in the same commit, the events that follow from it.
   * @param follow gets the frame's seq just before the commit; must not throw
   * @returns the frame's seq
   * @throws STORE_FAILED when it could not be stored
   */
  async append(
    frame: FrameRecord,
    follow: (seq: number) => readonly IncidentStep[] = () => [],
  ): Promise<number> {
    const { thumbnail, ...rest } = frame
    const value = encodeFrame(rest)
    const bytes = diskBytes(value) + (thumbnail === undefined ? 0 : diskBytes(thumbnail))
    let seq = 0
    await this.#submit({ bytes, vital: false }, totals => {
      seq = this.#ledger.put(totals, 'frame', value)
      if (thumbnail !== undefined) this.#ledger.putThumbnail(totals, seq, thumbnail)
      for (const step of follow(seq)) this.#ledger.putEvent(totals, step)
    })
    return seq
  }

  /**
   * @param follow runs in the same commit, and what it writes to `table`s belongs to it; must not throw
   * @throws STORE_FAILED
   */
  async appendEvents(steps: readonly IncidentStep[], follow: () => void = () => {}): Promise<void> {
    if (steps.length === 0) return
    const bytes = steps.reduce((sum, step) => sum + diskBytes(encodeEvent(step)), 0)
    await this.#submit({ bytes, vital: true }, totals => {
      for (const step of steps) this.#ledger.putEvent(totals, step)
      follow()
    })
  }

  /** A table of somebody else's in the same file, for what has to be committed together with records. */
  table<V, K extends Key>(name: string): Database<V, K> {
    return this.#env.openDB<V, K>(name, {})
  }

  /** Incidents that have begun and not ended, as last recorded. */
  openIncidents(): IncidentStep[] {
    return this.#ledger.openIncidents()
  }

  /** Deletes exactly what the ack covers. An ack of another session says nothing about these records. */
  async acknowledge({ session, upTo, ranges }: Ack): Promise<void> {
    if (session !== this.session) return
    const covered: SeqRange[] = [[1, upTo], ...ranges]
    const top = Math.max(...covered.map(([, last]) => last))
    await this.#submit(NOTHING, totals => {
      if (top >= totals.next) {
        // The hub has more than was given out here, as after a restored backup: those numbers are taken.
        this.#options.log.warn({ top, next: totals.next }, 'the hub is ahead of the outbox')
        totals.next = top + 1
      }
      for (const range of covered) this.#ledger.removeRange(totals, range)
    })
  }

  /**
   * At least one frame when there is any, all of one fingerprint.
   * @param maxBytes of all records together, as stored
   */
  frames(selection: Selection, { limit, maxBytes }: { limit: number; maxBytes: number }): OutgoingFrame[] {
    const taken: OutgoingFrame[] = []
    let bytes = 0
    for (const [seq, value] of this.#select('frame', selection)) {
      const thumbnail = this.#ledger.thumbnail(seq)
      const frame = this.#read(seq, () => decodeFrame(seq, value, thumbnail))
      if (frame === undefined) continue
      bytes += value.length + (thumbnail?.length ?? 0)
      if (taken.length > 0 && (bytes > maxBytes || frame.fingerprint !== taken[0]!.fingerprint)) break
      taken.push(frame)
      if (taken.length >= limit) break
    }
    return taken
  }

  /** The oldest event of the selection. */
  event(selection: Selection): OutgoingEvent | undefined {
    for (const [seq, value] of this.#select('event', selection)) {
      const step = this.#read(seq, () => decodeEvent(value))
      if (step !== undefined) return { seq, step }
    }
    return undefined
  }

  /** Numbers that will never come, oldest first. */
  skipped(limit: number): SeqRange[] {
    return this.#ledger.skipped(limit)
  }

  /** Waits for what was submitted, then closes. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= Promise.resolve(this.#committing).then(() => this.#env.close())
    return this.#closing
  }

  *#select(kind: RecordKind, { from, below, except }: Selection): Iterable<[number, Buffer]> {
    if (from >= below || this.#closing !== undefined) return
    for (const seq of this.#ledger.keys(kind, { start: from, end: below })) {
      const value = except.has(seq) ? undefined : this.#ledger.get(kind, seq)
      if (value !== undefined) yield [seq, value]
    }
  }

  /** A record that cannot be read any more is given up, so that it does not stand in the way for ever. */
  #read<T>(seq: number, decode: () => T): T | undefined {
    try {
      return decode()
    } catch (err) {
      this.#options.log.error({ err, seq }, 'damaged record dropped')
      void this.#submit(NOTHING, totals => this.#ledger.drop(totals, seq)).catch(() => {})
      return undefined
    }
  }

  #submit(need: Need, run: Work['run']): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(fault('STORE_FAILED', 'the outbox is closed'))
    return new Promise((done, failed) => {
      this.#works.push({ ...need, run, done, failed })
      this.#committing ??= this.#commitAll().finally(() => {
        this.#committing = undefined
      })
    })
  }

  /** Everything that was submitted during one commit goes into the next. */
  async #commitAll(): Promise<void> {
    while (this.#works.length > 0) {
      const works = this.#works.splice(0)
      const before = this.#totals.next
      try {
        await this.#room.refresh(this.#totals.bytes)
        const refused = await this.#commit(works)
        for (const work of works) {
          if (refused.has(work)) work.failed(fault('STORE_FAILED', 'no disk space left for the outbox'))
          else work.done()
        }
      } catch (cause) {
        for (const { failed } of works) failed(storeFault('cannot write to the outbox', cause))
      }
      if (this.#totals.next > before) this.#onAppend()
    }
  }

  /** One transaction: all of it or nothing. Returns what found no room. */
  async #commit(works: readonly Work[]): Promise<ReadonlySet<Work>> {
    const refused = new Set<Work>()
    const { failPoint = noFailPoint } = this.#options
    this.#totals = await this.#env.transaction(() => {
      if (this.#identity.get('owner') !== this.#owner) {
        throw fault('STORE_FAILED', 'another agent has opened this outbox; stop one of the two')
      }
      const totals = { ...this.#totals }
      for (const work of works) {
        if (this.#room.make(this.#ledger, totals, work)) work.run(totals)
        else refused.add(work)
      }
      totals.dropped += refused.size
      this.#ledger.saveTotals(totals)
      failPoint('before commit')
      return totals
    })
    failPoint('after commit')
    return refused
  }
}

function storeFault(what: string, cause: unknown) {
  return isFault(cause) ? cause : fault('STORE_FAILED', `${what}: ${messageOf(cause)}`, { cause })
}
