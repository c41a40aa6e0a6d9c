import { stackAlike } from './alike.ts'
import type { ApiClient } from './api.ts'
import type { Hit, SearchRequest } from './api-types.ts'

/** As many as the hub gives at once. */
const MAX_HITS = 200
/** Frames that one picture may bring along before it crowds others out. */
const FAIR_SHARE = 5

export interface VariedAnswer {
  /** By similarity descending. */
  readonly hits: readonly Hit[]
  readonly tookMs: number
}

/**
 * A camera that sees the same thing again and again fills an answer with one picture. When fewer than `wanted` different
 * ones come back, the recent past is asked once more, from where the most frequent picture takes no more than its
 * share: what stands out of all time stays first, and behind it comes what else there was of late.
 */
export async function variedSearch(
  api: Pick<ApiClient, 'search'>,
  request: Omit<SearchRequest, 'limit'>,
  wanted: number,
  signal?: AbortSignal,
): Promise<VariedAnswer> {
  const first = await api.search({ ...request, limit: MAX_HITS }, signal)
  const from = first.hits.length < MAX_HITS ? undefined : crowdedSince(first.hits, wanted)
  if (from === undefined) return first
  const recent = await api.search(
    { ...request, filter: { ...request.filter, from }, limit: MAX_HITS },
    signal,
  )
  const byId = new Map([...first.hits, ...recent.hits].map(hit => [hit.id, hit]))
  return {
    hits: [...byId.values()].sort((a, b) => b.similarity - a.similarity),
    tookMs: first.tookMs + recent.tookMs,
  }
}

/** Since when the largest stack has its fair share; undefined while there is variety enough. */
function crowdedSince(hits: readonly Hit[], wanted: number): string | undefined {
  const stacks = stackAlike(hits)
  if (stacks.length >= wanted) return undefined
  const largest = stacks.reduce((a, b) => (b.frames.length > a.frames.length ? b : a))
  return largest.frames
    .map(({ capturedAt }) => capturedAt)
    .sort()
    .at(-FAIR_SHARE)
}
