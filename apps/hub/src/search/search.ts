import { createHash } from 'node:crypto'
import { type Clock, fault, vectorToBytes } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import { Timings } from '../index/timings.ts'
import type { RecordStore } from '../store/record-store.ts'
import { type Calibration, calibrate } from './calibration.ts'
import { MAX_CANDIDATES } from './candidates.ts'
import { decodeCursor, digestOf, encodeCursor, type Position } from './cursor.ts'
import { ordinaryLikeness } from './diversity.ts'
import { facetsOf } from './facets.ts'
import { type Page, type PageParts, pageOf } from './page.ts'
import {
  type Candidate,
  type Contribution,
  DEFAULT_LIMIT,
  MAX_LIMIT,
  type SearchHit,
  type SearchQuery,
  type SearchResult,
  type SearchSubject,
} from './query.ts'
import { contributionsTo, type QueryModel, type QueryVector, QueryVectors } from './query-vectors.ts'
import { ResultCache } from './result-cache.ts'
import type { Tags } from './tags.ts'

/** More searches at once are refused: each holds an encoder or the index worker for milliseconds. */
const MAX_SEARCHES = 64
const MAX_GROUP_SIZE = 20

export interface SearchOptions {
  readonly store: PageParts['store'] & Pick<RecordStore, 'frame' | 'lastOrd'>
  readonly index: Pick<IndexKeeper, 'search' | 'background' | 'changes'>
  readonly tags: Pick<Tags, 'changes'>
  readonly model: QueryModel
  readonly clock: Pick<Clock, 'now'>
}

/** One search box over every stored frame of the hub's model. */
export class Search {
  readonly vectors: QueryVectors
  readonly #options: SearchOptions
  readonly #cache = new ResultCache()
  readonly timings = new Timings()
  #running = 0

  constructor(options: SearchOptions) {
    this.#options = options
    this.vectors = new QueryVectors(options)
  }

  /** Of answers that were still good. */
  get cache(): Pick<ResultCache, 'stats'> {
    return this.#cache
  }

  /**
   * @throws API_BAD_REQUEST on a limit outside 1 to 200, a cursor of another query, a query without direction;
   * API_NOT_FOUND for an unknown id; MODEL_DIM_MISMATCH for a vector or frame of another model; TEXT_INVALID,
   * IMAGE_INVALID, IMAGE_TOO_LARGE; API_BUSY; NOT_READY.
   */
  async search(query: SearchQuery): Promise<SearchResult> {
    checkQuery(query)
    const startedAt = performance.now()
    if (this.#running >= MAX_SEARCHES) throw fault('API_BUSY', `${MAX_SEARCHES} searches are under way`)
    this.#running++
    try {
      const result = await this.#search(query)
      const tookMs = performance.now() - startedAt
      this.timings.record(tookMs)
      return { ...result, tookMs }
    } finally {
      this.#running--
    }
  }

  /** How a query sees one stored frame. @throws as `search` */
  async explain(
    query: SearchQuery,
    id: string,
  ): Promise<SearchHit & { readonly contributions: readonly Contribution[] }> {
    const frame = this.vectors.frame(id, query.filter?.scope)
    const combined = await this.vectors.combine(query)
    const contributions = contributionsTo(frame.vector, combined)
    const similarity = contributions.reduce((sum, { contribution }) => sum + contribution, 0)
    return {
      ...hitOf({ frame, similarity, rank: similarity }, this.calibration(combined.vector)),
      contributions,
    }
  }

  /** What similarities to this unit vector mean beside those of typical stored frames. */
  calibration(vector: Float32Array): Calibration {
    const { index, model } = this.#options
    return calibrate(vector, index.background, model.manifest.logitScale)
  }

  async #search(query: SearchQuery): Promise<SearchResult> {
    const { index, tags } = this.#options
    // Both only grow.
    const changes = index.changes + tags.changes
    const identity = identityOf(query)
    const key = digestOf([identity, query.limit, query.cursor, query.explain === true])
    const known = this.#cache.get(key, changes)
    if (known !== undefined) return known
    const result = await this.#answer(query, digestOf(identity))
    if (isLasting(query)) this.#cache.set(key, changes, result)
    return result
  }

  async #answer(query: SearchQuery, digest: string): Promise<SearchResult> {
    const { model } = this.#options
    const known = query.cursor === undefined ? undefined : decodeCursor(query.cursor, digest)
    const combined = await this.vectors.combine(query)
    const calibration = this.calibration(combined.vector)
    const position = known ?? this.#begin(query, digest, calibration)
    const { hits, groups, pool, next } = await this.#page(query, position, combined)
    return {
      hits: hits.map(({ candidate, ...marks }) => ({
        ...hitOf(candidate, calibration),
        ...marks,
        ...(query.timeDecay === undefined ? {} : { rank: candidate.rank }),
        ...(query.explain === true
          ? { contributions: contributionsTo(candidate.frame.vector, combined) }
          : {}),
      })),
      ...(groups === undefined ? {} : { groups }),
      ...(query.facets === true ? { facets: facetsOf(pool.candidates) } : {}),
      total: { value: pool.candidates.length, relation: pool.complete ? 'eq' : 'gte' },
      nextCursor:
        next === undefined || next.seen >= MAX_CANDIDATES ? null : encodeCursor({ ...position, ...next }),
      tookMs: 0,
      model: { name: model.manifest.name, fingerprint: model.fingerprint },
    }
  }

  #page(
    query: SearchQuery,
    { upTo, at, seen, after, least, ordinary }: Position,
    { vector, own }: QueryVector,
  ): Promise<Page> {
    const { filter = {}, limit = DEFAULT_LIMIT, exact = false, timeDecay } = query
    const { logitScale } = this.#options.model.manifest
    return pageOf(this.#options, {
      ...{ query, limit, seen, after, vector, filter, exact, own, upTo, ordinary },
      minSimilarity: least ?? Number.NEGATIVE_INFINITY,
      decay: timeDecay === undefined ? undefined : { ...timeDecay, at, logitScale },
    })
  }

  /** The first page is of this moment, and of what is typical now. */
  #begin({ minScore = 0, diversity }: SearchQuery, digest: string, calibration: Calibration): Position {
    const { store, index, clock } = this.#options
    return {
      ...{ query: digest, upTo: store.lastOrd(), at: clock.now(), seen: 0, after: null },
      least: minScore <= 0 ? null : calibration.similarityOf(minScore),
      ordinary: diversity === undefined ? 0 : ordinaryLikeness(index.background),
    }
  }
}

function hitOf({ frame, similarity }: Candidate, calibration: Calibration): SearchHit {
  return {
    frame,
    similarity,
    score: calibration.score(similarity),
    percentile: calibration.percentile(similarity),
    zScore: calibration.zScore(similarity),
  }
}

function checkQuery({
  limit = DEFAULT_LIMIT,
  groupSize = 1,
  diversity,
  groupBy,
  timeDecay,
}: SearchQuery): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw fault('API_BAD_REQUEST', `limit must be an integer from 1 to ${MAX_LIMIT}, not ${limit}`)
  if (!Number.isInteger(groupSize) || groupSize < 1 || groupSize > MAX_GROUP_SIZE)
    throw fault(
      'API_BAD_REQUEST',
      `groupSize must be an integer from 1 to ${MAX_GROUP_SIZE}, not ${groupSize}`,
    )
  if (diversity !== undefined && groupBy !== undefined)
    throw fault('API_BAD_REQUEST', 'give diversity or groupBy, not both: a group shows its best frames')
  if (diversity !== undefined && !(diversity.lambda >= 0 && diversity.lambda <= 1))
    throw fault('API_BAD_REQUEST', `lambda must be from 0 to 1, not ${diversity.lambda}`)
  if (timeDecay !== undefined && !(timeDecay.halfLifeHours > 0))
    throw fault('API_BAD_REQUEST', `halfLifeHours must be above 0, not ${timeDecay.halfLifeHours}`)
}

/** Whether the same question has the same answer for as long as the index stays. */
function isLasting({ timeDecay, groupBy, cursor }: SearchQuery): boolean {
  // Incidents change without the index.
  return groupBy !== 'incident' && (timeDecay === undefined || cursor !== undefined)
}

/** All that makes the order of an answer; the pages of one have it in common. */
function identityOf(query: SearchQuery): unknown {
  const { limit, cursor, explain, image, vector, positives = [], negatives = [], ...rest } = query
  const subjects = [{ image, vector }, ...positives, ...negatives].map(subjectKey)
  return [rest, positives.length, subjects]
}

function subjectKey({ image, vector, ...rest }: SearchSubject): unknown {
  const bytes = image ?? (vector && vectorToBytes(vector))
  return [rest, bytes && createHash('sha256').update(bytes).digest('base64url'), image !== undefined]
}
