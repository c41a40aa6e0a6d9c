import { randomUUID } from 'node:crypto'
import { dot, fault, type Log, type Service, vectorToBytes } from '@sightline/core'
import type { Database } from 'lmdb'
import type { StoredFeed } from '../index/index-keeper.ts'
import { vectorOf } from '../rules/rule-tables.ts'
import { frameMatches } from '../store/frame-filter.ts'
import type { StoreEnvironment } from '../store/lmdb-store.ts'
import type { AppendResult, EmbeddedFrame, FrameFilter } from '../store/record-store.ts'
import type { SearchQuery } from './query.ts'
import type { Search } from './search.ts'

/** Each costs one comparison for every frame that comes. */
export const MAX_SAVED = 200
/** Of one person: nobody fills all the places. */
export const MAX_OWN = 50
/** Of each search, the newest. */
export const MAX_KEPT_HITS = 500
/** Hits that wait to be written; more are told but not kept. */
const MAX_PENDING = 10_000

/** Standard deviations above the mean that so many of a normal distribution reach. */
const STRICTNESS = [
  { share: 0.01, deviations: 2.326 },
  { share: 0.001, deviations: 3.09 },
  { share: 0.0001, deviations: 3.719 },
] as const
/** Fewer typical frames tell nothing of their spread. */
const MIN_BACKGROUND = 50

/** A standing query. Its vector is kept, so that it needs neither a picture nor the frame that it was made of. */
export interface SavedSearch {
  readonly id: string
  readonly name: string
  /** Who saved it, as the audit log names him; null: before that was noted. */
  readonly owner: string | null
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Cosine from which a frame is a hit. */
  readonly threshold: number
  readonly filter: FrameFilter
  /** What was asked, in words, for people. */
  readonly subjects: readonly string[]
  /** Of the model that made the vector. */
  readonly fingerprint: string
}

interface SavedRow extends SavedSearch {
  /** Little-endian float32. */
  readonly vector: Uint8Array
}

export interface SavedHit {
  readonly search: SavedSearch
  readonly frame: EmbeddedFrame
  readonly similarity: number
}

export interface KeptHit {
  readonly frameId: string
  readonly capturedAt: number
  readonly similarity: number
}

export interface ThresholdSuggestion {
  readonly threshold: number
  /** Of typical stored frames, about so many reach it, were they normally distributed. */
  readonly share: number
}

export interface SavedSearchOptions {
  readonly environment: StoreEnvironment
  readonly search: Search
  readonly ingest: StoredFeed
  readonly log: Log
}

/** Standing queries: every frame that is stored is compared with each of them, exactly. */
export class SavedSearches implements Service {
  readonly name = 'saved searches'
  readonly #options: SavedSearchOptions
  readonly #rows: Database<SavedRow, string>
  /** [search, ord] -> hit. */
  readonly #kept: Database<KeptHit, [string, number]>
  readonly #live = new Map<string, { readonly search: SavedSearch; readonly vector: Float32Array }>()
  readonly #listeners = new Set<(hit: SavedHit) => void>()
  #pending: { readonly key: [string, number]; readonly hit: KeptHit }[] = []
  #writing: Promise<void> | undefined
  #unsubscribe: () => void = () => {}

  constructor(options: SavedSearchOptions) {
    this.#options = options
    this.#rows = options.environment.root.openDB('saved-searches', {})
    this.#kept = options.environment.root.openDB('saved-search-hits', {})
  }

  async start(): Promise<void> {
    for (const { value } of this.#rows.getRange()) this.#hold(value)
    this.#unsubscribe = this.#options.ingest.on('stored', result => this.#take(result))
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    while (this.#writing !== undefined) await this.#writing
  }

  /** Returns what ends the subscription. */
  onHit(listener: (hit: SavedHit) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Newest first. Those of another model than the hub's are dormant: save them again. */
  list(): SavedSearch[] {
    return [...this.#rows.getRange()]
      .map(({ value: { vector: _, ...search } }) => ({ ...search, owner: search.owner ?? null }))
      .sort((a, b) => b.createdAt - a.createdAt)
  }

  /** @throws API_NOT_FOUND */
  get(id: string): SavedSearch {
    const { vector: _, ...search } = this.#row(id)
    return { ...search, owner: search.owner ?? null }
  }

  /**
   * @param change.id of one that exists: it is replaced, and stays its owner's, who sees no more for it
   * @throws as `Search.search`; API_BAD_REQUEST without a threshold while too few frames are stored to suggest one, and
   * beyond 200 searches, or 50 of one person; API_NOT_FOUND; STORE_FAILED
   */
  async save(change: {
    readonly id?: string
    readonly name: string
    readonly owner: string
    readonly query: SearchQuery
    readonly threshold?: number | undefined
    readonly at: number
  }): Promise<SavedSearch> {
    const { search } = this.#options
    const known = change.id === undefined ? undefined : this.#row(change.id)
    if (known === undefined) this.#checkRoom(change.owner)
    const { vector, parts } = await search.vectors.combine(change.query)
    const threshold = change.threshold ?? suggest(search, vector)[1]?.threshold
    if (threshold === undefined)
      throw fault('API_BAD_REQUEST', `give a threshold: fewer than ${MIN_BACKGROUND} frames are stored`)
    const row: SavedRow = {
      id: known?.id ?? randomUUID(),
      name: change.name,
      owner: known === undefined ? change.owner : (known.owner ?? null),
      createdAt: known?.createdAt ?? change.at,
      threshold,
      filter: { ...(known?.filter.scope && { scope: known.filter.scope }), ...change.query.filter },
      subjects: parts.map(({ role, subject }) => (role === 'positive' ? subject : `- ${subject}`)),
      fingerprint: search.vectors.model.fingerprint,
      vector: vectorToBytes(vector),
    }
    await this.#options.environment.committer.run(() => {
      this.#rows.put(row.id, row)
    })
    this.#hold(row)
    return this.get(row.id)
  }

  /** @throws API_NOT_FOUND, STORE_FAILED */
  async remove(id: string): Promise<void> {
    this.#row(id)
    this.#live.delete(id)
    this.#pending = this.#pending.filter(({ key }) => key[0] !== id)
    await this.#options.environment.committer.run(() => {
      this.#rows.remove(id)
      for (const key of this.#keys(id, MAX_KEPT_HITS + MAX_PENDING)) this.#kept.remove(key)
    })
  }

  /** Newest first. @throws API_NOT_FOUND */
  hits(id: string, limit: number): KeptHit[] {
    this.#row(id)
    return this.#keys(id, limit).map(key => this.#kept.get(key)!)
  }

  /** How many kept hits are of these frames, numbers in ascending order. */
  countHits(ords: readonly number[]): number {
    return this.#hitsOf(ords).length
  }

  /** Forgets the hits on these frames; resolves with how many were kept. @throws STORE_FAILED */
  async forgetHits(ords: readonly number[]): Promise<number> {
    const gone = new Set(ords)
    this.#pending = this.#pending.filter(({ key }) => !gone.has(key[1]))
    await this.settled()
    const keys = this.#hitsOf(ords)
    if (keys.length === 0) return 0
    await this.#options.environment.committer.run(() => {
      for (const key of keys) this.#kept.remove(key)
    })
    return keys.length
  }

  /** Thresholds from loose to strict; none while too few frames are stored. @throws as `Search.search` */
  async suggestions(query: SearchQuery): Promise<ThresholdSuggestion[]> {
    const { search } = this.#options
    return suggest(search, (await search.vectors.combine(query)).vector)
  }

  /** Resolves when all hits so far are kept. */
  async settled(): Promise<void> {
    await this.#writing
  }

  #checkRoom(owner: string): void {
    const all = this.list()
    if (all.length >= MAX_SAVED)
      throw fault('API_BAD_REQUEST', `${MAX_SAVED} searches are saved; delete one first`)
    if (all.filter(search => search.owner === owner).length >= MAX_OWN)
      throw fault('API_BAD_REQUEST', `${MAX_OWN} searches of yours are saved; delete one first`)
  }

  #row(id: string): SavedRow {
    const row = this.#rows.get(id)
    if (row === undefined) throw fault('API_NOT_FOUND', `there is no saved search ${id}`)
    return row
  }

  #hold(row: SavedRow): void {
    const { vector, ...search } = row
    if (row.fingerprint === this.#options.search.vectors.model.fingerprint)
      this.#live.set(row.id, { search, vector: vectorOf(vector) })
  }

  #hitsOf(ords: readonly number[]): [string, number][] {
    const [first, last] = [ords[0], ords.at(-1)]
    if (first === undefined || last === undefined) return []
    const wanted = new Set(ords)
    return [...this.#rows.getKeys()].flatMap(id => {
      const start: [string, number] = [id, first]
      const end: [string, number] = [id, last + 1]
      return [...this.#kept.getKeys({ start, end })].filter(([, ord]) => wanted.has(ord))
    })
  }

  #keys(id: string, limit: number): [string, number][] {
    const range = { start: [id, Number.MAX_SAFE_INTEGER], end: [id, 0], reverse: true, limit }
    return [...this.#kept.getKeys(range as unknown as { start: [string, number] })]
  }

  #take({ frames }: AppendResult): void {
    for (const frame of frames) {
      for (const { search, vector } of this.#live.values()) {
        if (frame.fingerprint !== search.fingerprint || !frameMatches(search.filter, frame)) continue
        const similarity = dot(frame.vector, vector)
        if (similarity >= search.threshold) this.#tell({ search, frame, similarity })
      }
    }
    if (this.#pending.length > 0) this.#write()
  }

  #tell({ search, frame, similarity }: SavedHit): void {
    if (this.#pending.length < MAX_PENDING)
      this.#pending.push({
        key: [search.id, frame.ord],
        hit: { frameId: frame.id, capturedAt: frame.capturedAt, similarity },
      })
    for (const listener of this.#listeners) listener({ search, frame, similarity })
  }

  #write(): void {
    this.#writing ??= this.#writeAll()
      .catch(err => this.#options.log.error({ err }, 'hits of saved searches not kept'))
      .finally(() => {
        this.#writing = undefined
        if (this.#pending.length > 0) this.#write()
      })
  }

  async #writeAll(): Promise<void> {
    const hits = this.#pending
    this.#pending = []
    await this.#options.environment.committer.run(() => {
      for (const { key, hit } of hits) if (this.#live.has(key[0])) this.#kept.put(key, hit)
    })
    const extra = [...new Set(hits.map(({ key }) => key[0]))].flatMap(id =>
      this.#keys(id, MAX_KEPT_HITS + MAX_PENDING).slice(MAX_KEPT_HITS),
    )
    if (extra.length === 0) return
    await this.#options.environment.committer.run(() => {
      for (const key of extra) this.#kept.remove(key)
    })
  }
}

/** Where the tail of typical frames is as thin as wanted, taking their similarities as normally distributed. */
function suggest(search: Search, vector: Float32Array): ThresholdSuggestion[] {
  const { mean, spread, count } = search.calibration(vector)
  if (count < MIN_BACKGROUND) return []
  return STRICTNESS.map(({ share, deviations }) => ({ share, threshold: mean + deviations * spread }))
}
