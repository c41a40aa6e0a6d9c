import type { Frame, Incident } from './api-types.ts'

/** What came over the line when a saved search found a frame. */
export interface SavedSearchEvent {
  readonly search: { readonly id: string; readonly name: string }
  readonly frame: Frame
  readonly similarity: number
}

/** Hits of one saved search on one camera: a scene that stays is one line, not hundreds. */
export interface TickerHit extends SavedSearchEvent {
  readonly key: string
  readonly hits: number
}

export type TickerEntry =
  | { readonly kind: 'incident'; readonly at: number; readonly incident: Incident }
  | { readonly kind: 'saved'; readonly at: number; readonly hit: TickerHit }

export const TICKER_FILTERS = ['all', 'ongoing', 'saved'] as const
export type TickerFilter = (typeof TICKER_FILTERS)[number]

const MAX_HITS = 50

/** The newest hit stands for those before it, and first. */
export function withHit(known: readonly TickerHit[], arrived: SavedSearchEvent): TickerHit[] {
  const { search, frame } = arrived
  const key = [search.id, frame.site, frame.node, frame.camera].join('/')
  const before = known.find(hit => hit.key === key)
  const shown = before !== undefined && before.frame.capturedAt > frame.capturedAt ? before : arrived
  const hit = { search, frame: shown.frame, similarity: shown.similarity, key, hits: (before?.hits ?? 0) + 1 }
  return [hit, ...known.filter(each => each !== before)].slice(0, MAX_HITS)
}

/** Newest first, by when an incident began or a frame was taken. */
export function tickerEntries(
  incidents: readonly Incident[],
  hits: readonly TickerHit[],
  filter: TickerFilter,
): TickerEntry[] {
  const shown =
    filter === 'saved' ? [] : filter === 'all' ? incidents : incidents.filter(each => each.endedAt === null)
  const found = filter === 'ongoing' ? [] : hits
  return [
    ...shown.map(incident => ({ kind: 'incident' as const, at: Date.parse(incident.startedAt), incident })),
    ...found.map(hit => ({ kind: 'saved' as const, at: Date.parse(hit.frame.capturedAt), hit })),
  ].sort((a, b) => b.at - a.at)
}
