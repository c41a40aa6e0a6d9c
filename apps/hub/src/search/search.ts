import { type ClipModel, dot, fault, isFault, type Log, l2Normalize } from '@sightline/core'
import type { IndexKeeper } from '../index/index-keeper.ts'
import { sourceMatches } from '../store/frame-filter.ts'
import type { EmbeddedFrame, Frame, FrameFilter, RecordStore } from '../store/record-store.ts'

export const DEFAULT_LIMIT = 24
export const MAX_LIMIT = 200
/** More searches at once are refused: each holds an encoder or the index worker for milliseconds. */
const MAX_SEARCHES = 64

/** What is looked for: words, a picture file, the id of a stored frame (more like it), or a vector of the model. */
export type SearchSubject =
  | { readonly text: string }
  | { readonly image: Uint8Array }
  | { readonly id: string }
  | { readonly vector: Float32Array }

export type SearchQuery = SearchSubject & {
  readonly filter?: FrameFilter | undefined
  /** 1 to 200; default 24. */
  readonly limit?: number | undefined
  /** Hits with a lower score are left out. */
  readonly minScore?: number | undefined
}

export interface SearchHit {
  readonly frame: Frame
  /** Cosine between the query and the frame. */
  readonly similarity: number
  /** See `matchProbability`. */
  readonly score: number
}

export interface SearchResult {
  /** By similarity descending, ties newest first. */
  readonly hits: readonly SearchHit[]
  readonly tookMs: number
  readonly model: { readonly name: string; readonly fingerprint: string }
}

export interface SearchOptions {
  readonly store: Pick<RecordStore, 'frame' | 'frameByOrd'>
  readonly index: Pick<IndexKeeper, 'search' | 'background'>
  readonly model: Pick<ClipModel, 'manifest' | 'fingerprint' | 'dim' | 'encodeTexts' | 'encodeImages'>
  readonly log: Log
}

/** One search box over every stored frame of the hub's model. */
export class Search {
  readonly #options: SearchOptions
  #running = 0

  constructor(options: SearchOptions) {
    this.#options = options
  }

  /**
   * @throws API_BAD_REQUEST on a limit outside 1 to 200 or a vector without direction; API_NOT_FOUND for an unknown id;
   * MODEL_DIM_MISMATCH for a vector or frame of another model; TEXT_INVALID, IMAGE_INVALID, IMAGE_TOO_LARGE; API_BUSY;
   * NOT_READY.
   */
  async search(query: SearchQuery): Promise<SearchResult> {
    if (this.#running >= MAX_SEARCHES) throw fault('API_BUSY', `${MAX_SEARCHES} searches are under way`)
    this.#running++
    try {
      return await this.#search(query)
    } finally {
      this.#running--
    }
  }

  async #search(query: SearchQuery): Promise<SearchResult> {
    const startedAt = performance.now()
    const { store, index, model, log } = this.#options
    const { filter, limit = DEFAULT_LIMIT, minScore = 0 } = query
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
      throw fault('API_BAD_REQUEST', `limit must be an integer from 1 to ${MAX_LIMIT}, not ${limit}`)
    const { vector, self } = await this.#subject(query, filter)
    const found = await index.search(vector, self === undefined ? limit : limit + 1, filter)
    const probability = matchProbability(vector, index.background, model.manifest.logitScale)
    const hits = found
      .filter(({ ord }) => ord !== self)
      .slice(0, limit)
      .flatMap(({ ord, similarity }) => {
        const frame = store.frameByOrd(ord)
        return frame === undefined ? [] : [{ frame, similarity, score: probability(similarity) }]
      })
      .filter(({ score }) => score >= minScore)
    const tookMs = performance.now() - startedAt
    log.debug({ hits: hits.length, tookMs }, 'searched')
    return { hits, tookMs, model: { name: model.manifest.name, fingerprint: model.fingerprint } }
  }

  /** The query as a unit vector, and the ord of the frame that it is, if it is one. */
  async #subject(
    query: SearchSubject,
    filter: FrameFilter | undefined,
  ): Promise<{ vector: Float32Array; self?: number }> {
    const { model } = this.#options
    if ('text' in query) return { vector: (await model.encodeTexts([query.text]))[0]! }
    if ('image' in query) return { vector: (await model.encodeImages([query.image]))[0]! }
    if ('vector' in query) return { vector: this.#direction(query.vector) }
    const { vector, ord } = this.#frame(query.id, filter?.scope)
    return { vector, self: ord }
  }

  /** What the caller may not see is not there for him. */
  #frame(id: string, scope: FrameFilter['scope']): EmbeddedFrame {
    const { store, model } = this.#options
    const frame = store.frame(id)
    if (frame === undefined || !sourceMatches({ scope }, frame))
      throw fault('API_NOT_FOUND', `there is no frame ${id}`)
    if (frame.fingerprint !== model.fingerprint)
      throw fault(
        'MODEL_DIM_MISMATCH',
        `frame ${id} is of ${frame.fingerprint}, the hub runs ${model.fingerprint}`,
      )
    return frame
  }

  #direction(given: Float32Array): Float32Array {
    const { dim, fingerprint } = this.#options.model
    if (given.length !== dim)
      throw fault('MODEL_DIM_MISMATCH', `a vector of length ${given.length}; ${fingerprint} has ${dim}`)
    try {
      return l2Normalize(given.slice())
    } catch (cause) {
      if (!isFault(cause, 'MODEL_OUTPUT_INVALID')) throw cause
      throw fault('API_BAD_REQUEST', 'the vector has no direction: it is zero or not finite', { cause })
    }
  }
}

/**
 * The probability that a frame, rather than a typical stored one, is what the query means:
 *
 *   score(s) = exp(L s) / (exp(L s) + mean over i of exp(L s_i))
 *
 * with s the frame's cosine to the query, s_i those of the background frames and L the model's logit scale. This is the
 * softmax under which the model learnt to tell the right picture from others, with the mean in the place of the sum, so
 * that the score does not sink as the store grows: 0.5 is a typical frame. Where most frames match the query, none
 * stands out, and the scores are near 0.5 however good the matches are; `similarity` stands beside it for that.
 *
 * For pictures, ids and vectors of pictures the same is computed. L was learnt between pictures and words, and pictures
 * are closer to one another than to words, so those scores crowd towards 0 and 1: read them as an order.
 *
 * @param background unit vectors; empty: every score is 0.5, since nothing is known to compare with.
 */
export function matchProbability(
  query: Float32Array,
  background: readonly Float32Array[],
  logitScale: number,
): (similarity: number) => number {
  if (background.length === 0) return () => 0.5
  const similarities = background.map(vector => dot(vector, query))
  // Relative to the highest, so that exp() stays finite at any scale.
  const highest = Math.max(...similarities)
  const sum = similarities.reduce((total, s) => total + Math.exp(logitScale * (s - highest)), 0)
  const typical = highest + Math.log(sum / similarities.length) / logitScale
  return similarity => 1 / (1 + Math.exp(logitScale * (typical - similarity)))
}
