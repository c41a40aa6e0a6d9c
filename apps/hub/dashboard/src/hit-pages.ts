import type { ApiClient } from './api.ts'
import type { Frame, FrameFilter, Hit, SearchFacets, SearchRequest } from './api-types.ts'

/** So many cards come at once. */
export const PAGE_SIZE = 24
/** A camera that sees the same thing again and again must not fill an answer with it. */
const DIVERSITY = 0.9
/** The hub lists no more of the newest frames. */
const MAX_NEWEST = 500

/** A stretch of an answer, and the way to the next one. */
export interface HitPage {
  readonly frames: readonly (Frame | Hit)[]
  /** Undefined at the end. */
  readonly next: ((signal: AbortSignal) => Promise<HitPage>) | undefined
  readonly tookMs?: number
  /** On the first page. */
  readonly facets?: SearchFacets | undefined
}

/** The filter stays that of the first page, however long ago that was: the hub refuses a cursor with another question. */
export async function searchPage(
  api: Pick<ApiClient, 'search'>,
  question: Pick<SearchRequest, 'subject' | 'negatives' | 'filter' | 'cursor'>,
  signal: AbortSignal,
): Promise<HitPage> {
  const request = { ...question, limit: PAGE_SIZE, diversity: DIVERSITY, facets: true }
  const { hits, nextCursor, tookMs, facets } = await api.search(request, signal)
  return {
    frames: hits,
    next:
      nextCursor === null ? undefined : later => searchPage(api, { ...question, cursor: nextCursor }, later),
    tookMs,
    facets,
  }
}

/** The newest frames have no cursor: each page asks for more and leaves out what is known, and what came meanwhile. */
export async function newestPage(
  api: Pick<ApiClient, 'frames'>,
  filter: FrameFilter,
  signal: AbortSignal,
  known: readonly Frame[] = [],
): Promise<HitPage> {
  const limit = Math.min(MAX_NEWEST, known.length + PAGE_SIZE)
  const all = await api.frames({ ...filter, limit }, signal)
  const frames = restOf(all, known)
  const seen = [...known, ...frames]
  return {
    frames,
    next:
      all.length < limit || frames.length === 0 || seen.length >= MAX_NEWEST
        ? undefined
        : later => newestPage(api, filter, later, seen),
  }
}

function restOf(all: readonly Frame[], known: readonly Frame[]): readonly Frame[] {
  const ids = new Set(known.map(({ id }) => id))
  const last = all.findLastIndex(({ id }) => ids.has(id))
  return all.slice(last + 1)
}
