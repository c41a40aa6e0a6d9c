import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Frame, SearchFacets, SearchRequest } from '../api-types.ts'
import { FrameCard } from '../components/frame-card.tsx'
import { EmptyState, ErrorNote, ErrorState, MissingFrame, SkeletonCards } from '../components/states.tsx'
import { VirtualGrid } from '../components/virtual-grid.tsx'
import { count, millis } from '../format.ts'
import { type HitPage, newestPage, PAGE_SIZE, searchPage } from '../hit-pages.ts'
import { splitWords } from '../minus-terms.ts'
import { wordsFault } from '../question.ts'
import { formatHash } from '../router.ts'
import {
  isFiltered,
  NO_FILTERS,
  queryFilter,
  queryParams,
  rangeFault,
  type SearchQuery,
} from '../search-query.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { usePages } from '../use-pages.ts'
import { SearchMore } from './search-more.tsx'
import { TimeHistogram } from './time-histogram.tsx'

const REFILL_MS = 4000

export interface SearchResultsProps {
  /** Asked for, and not shown while what stands above is awaited. */
  readonly hidden: boolean
  readonly query: SearchQuery
  /** Undefined: nothing is asked, the newest frames are shown. */
  readonly asked: SearchRequest['subject'] | undefined
  readonly pictureUrl: string | undefined
  readonly onOpen: (frame: Frame) => void
  readonly onSimilar: (frame: Frame) => void
  readonly onNarrow: (change: Partial<SearchQuery>) => void
  /** What stands beside the title; gets what was counted in the answer that is in sight. */
  readonly children: (facets: SearchFacets | undefined) => ComponentChildren
}

interface Answer extends HitPage {
  /** What it answers; while a new question is under way, the old answer stays in sight. */
  readonly question: string
}

/** Hits for what was asked; the newest frames while nothing is. */
export function SearchResults(props: SearchResultsProps) {
  const { hidden, query, asked, pictureUrl, onOpen, onSimilar, onNarrow, children } = props
  const { api } = useServices()
  const now = useNow(5000)
  const question = JSON.stringify([queryParams(query), pictureUrl])
  const searchable = rangeFault(query) === undefined && wordsFault(query.text) === undefined
  const { data, error, loading, reload } = useResource<Answer>(
    searchable ? question : undefined,
    async signal => {
      const filter = queryFilter(query, Date.now())
      const negatives = splitWords(query.text).unwanted
      const page =
        asked === undefined
          ? newestPage(api, filter, signal)
          : searchPage(api, { subject: asked, negatives, filter }, signal)
      return { ...(await page), question }
    },
  )
  const current =
    searchable && data !== undefined && (loading || data.question === question) ? data : undefined
  const pages = usePages(current)

  // A hub that has just started fills up while one looks at it.
  const filling = asked === undefined && !isFiltered(query) && (data?.frames.length ?? PAGE_SIZE) < PAGE_SIZE
  useEffect(() => {
    if (!filling || loading) return
    const timer = setTimeout(reload, REFILL_MS)
    return () => clearTimeout(timer)
  }, [filling, loading, reload])

  const heading = useRef<HTMLHeadingElement>(null)
  useBegin(heading, question, current?.question ?? error?.code)

  const gone = query.like !== '' && error?.status === 404
  const failed = error !== undefined && current?.question !== question
  const stale = loading && current?.question !== question
  return (
    <section class={stale ? 'results results-stale' : 'results'} aria-busy={stale} hidden={hidden}>
      <header class="results-head">
        <h2 ref={heading} tabIndex={-1}>
          {asked === undefined ? 'Newest frames' : 'Best matches'}
        </h2>
        <p role="status">{stale ? 'Searching…' : current !== undefined && summary(current, pages.frames)}</p>
        {children(current?.facets)}
      </header>
      {!failed && current?.facets !== undefined && (
        <TimeHistogram histogram={current.facets.histogram} onChange={onNarrow} />
      )}
      {failed && gone && <MissingFrame />}
      {failed && !gone && <ErrorState error={error} onRetry={reload} />}
      {!failed && error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {!failed && searchable && current === undefined && <SkeletonCards cards={8} />}
      {!failed && current?.frames.length === 0 && (
        <NoFrames filtered={isFiltered(query)} onClearFilters={() => onNarrow(NO_FILTERS)} />
      )}
      {!failed && current !== undefined && (
        <VirtualGrid items={pages.frames} keyOf={({ id }) => id} class="grid">
          {frame => (
            <FrameCard
              frame={frame}
              now={now}
              alike={1 + (('alike' in frame && frame.alike) || 0)}
              onUnstack={() => onSimilar(frame)}
              onOpen={onOpen}
              onSimilar={onSimilar}
            />
          )}
        </VirtualGrid>
      )}
      {!failed && !stale && current !== undefined && <SearchMore pages={pages} question={question} />}
    </section>
  )
}

/** Another question is answered from the top of the page; when the answer took away what had the focus, it is here. */
function useBegin(
  heading: RefObject<HTMLElement | null>,
  question: string,
  answered: string | undefined,
): void {
  const first = useRef(question)
  useEffect(() => {
    if (first.current === question) return
    first.current = ''
    scrollTo(0, 0)
  }, [question])
  useEffect(() => {
    if (first.current === '' && document.activeElement === document.body)
      heading.current?.focus({ preventScroll: true })
  }, [heading, answered])
}

function summary({ tookMs }: HitPage, frames: readonly Frame[]): string {
  const shown = `${count(frames.length)} shown`
  return tookMs === undefined ? shown : `${shown}, in ${millis(tookMs)}`
}

function NoFrames({ filtered, onClearFilters }: { filtered: boolean; onClearFilters: () => void }) {
  if (filtered) {
    return (
      <EmptyState icon="search" title="No frame within these filters">
        <p>Choose another camera, another rule or a longer time.</p>
        <button type="button" class="button" onClick={onClearFilters}>
          Clear filters
        </button>
      </EmptyState>
    )
  }
  return (
    <EmptyState icon="camera" title="No frames yet">
      <p>As soon as a device sends its first frame, it is here and can be found.</p>
      <a class="button" href={formatHash('devices')}>
        See devices
      </a>
    </EmptyState>
  )
}
