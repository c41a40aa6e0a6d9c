import type { IndexKeeper } from '../index/index-keeper.ts'
import type { RecordStore } from '../store/record-store.ts'
import {
  type CandidateParts,
  type CandidatePlan,
  type CandidatePool,
  findCandidates,
  MAX_CANDIDATES,
} from './candidates.ts'
import { isAfter, keyOf, type Position } from './cursor.ts'
import { type DiversePick, pickDiverse } from './diversity.ts'
import { groupCandidates } from './grouping.ts'
import type { Candidate, SearchHit, SearchQuery, SearchResult } from './query.ts'

/** Candidates that facets are counted over, that groups are made of and that variety is chosen from. */
const FACET_POOL = 1000
const GROUP_POOL = 1000
/** Of each stretch of time that is asked. */
const DECAY_POOL = 500
const DIVERSE_POOL = 500
/** Times that an answer crowded by one picture is filled up from a more recent past. */
const MAX_REFILLS = 3
/** Frames that one picture may bring along before it crowds others out. */
const FAIR_SHARE = 5

/** One page of an answer. */
export interface Page {
  readonly hits: readonly PageHit[]
  readonly groups?: NonNullable<SearchResult['groups']>
  readonly pool: CandidatePool
  /** Where the next page begins; undefined after the last. */
  readonly next: Pick<Position, 'seen' | 'after'> | undefined
}

export type PageHit = Pick<SearchHit, 'alike' | 'group'> & { readonly candidate: Candidate }

export interface PagePlan extends CandidatePlan {
  readonly query: SearchQuery
  readonly limit: number
  readonly seen: number
  readonly after: Position['after']
  readonly ordinary: number
}

export interface PageParts extends CandidateParts {
  readonly store: CandidateParts['store'] & Pick<RecordStore, 'incidents'>
  readonly index: Pick<IndexKeeper, 'search'>
}

export function pageOf(parts: PageParts, plan: PagePlan): Promise<Page> {
  if (plan.query.groupBy !== undefined) return groupedPage(parts, plan)
  if (plan.query.diversity !== undefined) return diversePage(parts, plan)
  return plainPage(parts, plan)
}

/** Continues below the last hit of the page before. */
async function plainPage(parts: PageParts, plan: PagePlan): Promise<Page> {
  const { query, limit, seen, after } = plan
  const least = query.facets === true ? FACET_POOL : seen + limit + 1
  const count = plan.decay === undefined ? Math.max(least, seen + limit + 1) : DECAY_POOL
  const pool = await findCandidates(parts, plan, Math.min(MAX_CANDIDATES, count))
  const rest = after === null ? pool.candidates : pool.candidates.filter(each => isAfter(each, after))
  const shown = rest.slice(0, limit)
  return {
    hits: shown.map(candidate => ({ candidate })),
    pool,
    next: rest.length > limit ? { seen: seen + limit, after: keyOf(shown.at(-1)!) } : undefined,
  }
}

async function groupedPage(parts: PageParts, plan: PagePlan): Promise<Page> {
  const { query, limit, seen } = plan
  const pool = await findCandidates(parts, plan, GROUP_POOL)
  const all = groupCandidates(pool.candidates, query.groupBy!, parts.store)
  const shown = all.slice(seen, seen + limit)
  return {
    hits: shown.flatMap(({ key, members }) =>
      members.slice(0, query.groupSize ?? 1).map(candidate => ({ candidate, group: key })),
    ),
    groups: shown.map(({ key, members }) => ({
      key,
      frames: members.length,
      bestFrameId: members[0]!.frame.id,
    })),
    pool,
    next: nextOf(all, plan),
  }
}

async function diversePage(parts: PageParts, plan: PagePlan): Promise<Page> {
  const { seen, limit } = plan
  const pool = await findCandidates(parts, plan, DIVERSE_POOL)
  const picks = await diversePicks(parts, plan, pool)
  return {
    hits: picks.slice(seen, seen + limit).map(({ candidate, alike }) => ({ candidate, alike: alike.length })),
    pool,
    next: nextOf(picks, plan),
  }
}

/**
 * A camera that sees the same thing again and again fills the candidates with one picture. When too few different ones
 * are among them, the recent past is asked again, from where the most frequent picture takes no more than its share:
 * what stands out of all time stays first, and behind it comes what else there was of late. What was picked keeps its
 * place, so that a later page agrees with an earlier one.
 */
async function diversePicks(parts: PageParts, plan: PagePlan, first: CandidatePool): Promise<DiversePick[]> {
  const { query, seen, limit, filter, ordinary } = plan
  const wanted = seen + limit + 1
  const how = { lambda: query.diversity!.lambda, ordinary }
  const known = new Set<number>()
  const picks: DiversePick[] = []
  let [pool, from] = [first, filter.from]
  for (let round = 0; ; round++) {
    const fresh = pool.candidates.filter(({ frame }) => !known.has(frame.ord))
    for (const { frame } of fresh) known.add(frame.ord)
    const before = picks.map(({ candidate }) => candidate)
    const more = await pickDiverse(fresh, { ...how, count: wanted - picks.length, before })
    picks.push(...more)
    const since = crowdedSince(pool.candidates, more)
    if (picks.length >= wanted || pool.complete || round === MAX_REFILLS || since === undefined) return picks
    if (since <= (from ?? Number.NEGATIVE_INFINITY)) return picks
    from = since
    pool = await findCandidates(parts, { ...plan, filter: { ...filter, from } }, DIVERSE_POOL)
  }
}

/** Since when the most frequent picture has its fair share. */
function crowdedSince(candidates: readonly Candidate[], picks: readonly DiversePick[]): number | undefined {
  const largest = picks.reduce<DiversePick | undefined>(
    (a, b) => (a === undefined || b.alike.length > a.alike.length ? b : a),
    undefined,
  )
  // Only what was picked before is among them: all are of pictures that are known.
  const crowd = largest === undefined ? candidates : [largest.candidate, ...largest.alike]
  return crowd
    .map(({ frame }) => frame.capturedAt)
    .sort((a, b) => a - b)
    .at(-FAIR_SHARE)
}

function nextOf(all: readonly unknown[], { seen, limit }: PagePlan): Page['next'] {
  return all.length > seen + limit ? { seen: seen + limit, after: null } : undefined
}
