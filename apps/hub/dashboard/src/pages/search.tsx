import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Frame, Hit, SavedQuestion, SearchHistogram, SearchRequest } from '../api-types.ts'
import { FrameCard } from '../components/frame-card.tsx'
import { EmptyState, ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { millis } from '../format.ts'
import { Icon } from '../icons.tsx'
import { joinWords, splitWords } from '../minus-terms.ts'
import { preparePicture, type QueryPicture } from '../picture.ts'
import { usePictureUrls } from '../picture-url.ts'
import { formatHash, navigate } from '../router.ts'
import {
  isFiltered,
  parseQuery,
  queryFilter,
  queryParams,
  rangeFault,
  type SearchQuery,
} from '../search-query.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { SaveSearch } from './save-search.tsx'
import { SavedSearches } from './saved-searches.tsx'
import { SearchBox, type Subject } from './search-box.tsx'
import { SearchFilters } from './search-filters.tsx'
import { TimeHistogram } from './time-histogram.tsx'

const PAGE_SIZE = 24
const MAX_CARDS = 96
/** A camera that sees the same thing again and again must not fill an answer with it. */
const DIVERSITY = 0.9
const REFILL_MS = 4000
const EXAMPLES = [
  'a cat',
  'a boat at sunset',
  'a cup of coffee',
  'someone taking a photo',
  'snow on a road',
  'fireworks at night',
]

export interface SearchPageProps {
  readonly params: Readonly<Record<string, string>>
  readonly onOpenFrame: (frame: Frame) => void
}

export function SearchPage({ params, onOpenFrame }: SearchPageProps) {
  const query = parseQuery(params)
  const [picture, setPicture] = useState<QueryPicture>()
  const [pictureFault, setPictureFault] = useState<string>()
  useEffect(() => () => picture && URL.revokeObjectURL(picture.url), [picture])
  // Words or a frame in the address win over a picture from before.
  const byPicture = query.text === '' && query.like === '' ? picture : undefined

  const go = (change: Partial<SearchQuery>) =>
    navigate(formatHash('search', queryParams({ ...query, ...change })))
  const searchText = (text: string) => {
    setPicture(undefined)
    setPictureFault(undefined)
    go({ text, like: '' })
  }
  const searchPicture = async (file: File) => {
    const prepared = await preparePicture(file)
    if (typeof prepared === 'string') {
      setPictureFault(prepared)
      return
    }
    setPictureFault(undefined)
    setPicture(prepared)
    go({ text: '', like: '' })
  }
  usePictureUrls({ onPicture: searchPicture, onFailure: setPictureFault })

  const subject: Subject | undefined =
    byPicture !== undefined
      ? { label: byPicture.name, url: byPicture.url }
      : query.like !== ''
        ? { label: 'More like this', url: `/api/v1/frames/${encodeURIComponent(query.like)}/thumbnail` }
        : undefined
  const asked = subjectOf(query, byPicture)

  return (
    <div class="page">
      <div class={asked === undefined ? 'search-head search-head-open' : 'search-head'}>
        <h1 class={asked === undefined ? '' : 'visually-hidden'}>Search every camera</h1>
        <SearchBox
          text={query.text}
          subject={subject}
          onText={searchText}
          onPicture={searchPicture}
          onClear={() => searchText('')}
        />
        {pictureFault !== undefined && (
          <p class="fault" role="alert">
            {pictureFault}
          </p>
        )}
        <MinusTerms text={query.text} onText={searchText} />
        {asked === undefined && (
          <ul class="examples" aria-label="Examples">
            {EXAMPLES.map(example => (
              <li key={example}>
                <button type="button" class="chip" onClick={() => searchText(example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
      {asked === undefined && <SavedSearches />}
      <Results
        query={query}
        asked={asked}
        pictureUrl={byPicture?.url}
        onOpen={onOpenFrame}
        onSimilar={frame => {
          setPicture(undefined)
          go({ text: '', like: frame.id })
        }}
        onNarrow={go}
        onClearFilters={() => go({ camera: undefined, range: 'any' })}
      >
        <SearchFilters query={query} onChange={go} />
        {asked !== undefined && !('image' in asked) && (
          <SaveSearch
            key={JSON.stringify([asked, query.camera])}
            question={standing(asked, query)}
            suggested={query.text === '' ? 'More like a frame' : query.text.slice(0, 200)}
          />
        )}
      </Results>
    </div>
  )
}

interface ResultsProps {
  readonly query: SearchQuery
  readonly asked: SearchRequest['subject'] | undefined
  readonly pictureUrl: string | undefined
  readonly onOpen: (frame: Frame) => void
  readonly onSimilar: (frame: Frame) => void
  readonly onNarrow: (change: Partial<SearchQuery>) => void
  readonly onClearFilters: () => void
  readonly children: ComponentChildren
}

interface Answer {
  readonly frames: readonly (Frame | Hit)[]
  readonly tookMs?: number
  readonly histogram?: SearchHistogram | undefined
  /** What it answers; while a new question is under way, the old answer stays in sight. */
  readonly question: string
}

/** Hits for what was asked; the newest frames while nothing is. */
function Results(props: ResultsProps) {
  const { query, asked, pictureUrl, onOpen, onSimilar, onNarrow, onClearFilters, children } = props
  const { api } = useServices()
  const now = useNow(5000)
  const question = JSON.stringify([queryParams(query), pictureUrl])
  const [shown, setShown] = useState({ question, cards: PAGE_SIZE })
  const cards = shown.question === question ? shown.cards : PAGE_SIZE
  const searchable = rangeFault(query) === undefined
  const { data, error, loading, reload } = useResource<Answer>(
    searchable ? (asked === undefined ? `${question} ${cards}` : question) : undefined,
    async signal => {
      const filter = queryFilter(query, Date.now())
      if (asked === undefined) {
        return { frames: await api.frames({ limit: cards, ...filter }, signal), question }
      }
      const { hits, tookMs, facets } = await api.search(
        {
          subject: asked,
          negatives: splitWords(query.text).unwanted,
          filter,
          limit: MAX_CARDS,
          diversity: DIVERSITY,
          facets: true,
        },
        signal,
      )
      return { frames: hits, tookMs, histogram: facets?.histogram, question }
    },
  )

  // A hub that has just started fills up while one looks at it.
  const filling = asked === undefined && !isFiltered(query) && (data?.frames.length ?? cards) < cards
  useEffect(() => {
    if (!filling || loading) return
    const timer = setTimeout(reload, REFILL_MS)
    return () => clearTimeout(timer)
  }, [filling, loading, reload])

  const current =
    searchable && data !== undefined && (loading || data.question === question) ? data : undefined
  const frames = current?.frames ?? []
  // An answer holds all there is to show; of the newest frames, a full list may go on.
  const more = asked === undefined ? frames.length >= cards && cards < MAX_CARDS : frames.length > cards
  const failed = error !== undefined && current?.question !== question
  const stale = loading && current?.question !== question
  return (
    <section class={stale ? 'results results-stale' : 'results'} aria-busy={stale}>
      <header class="results-head">
        <h2>{asked === undefined ? 'Newest frames' : 'Best matches'}</h2>
        <p role="status">
          {stale ? 'Searching…' : current?.tookMs !== undefined && `in ${millis(current.tookMs)}`}
        </p>
        {children}
      </header>
      {!failed && current?.histogram !== undefined && (
        <TimeHistogram histogram={current.histogram} onChange={onNarrow} />
      )}
      {failed && error !== undefined && <ErrorState error={error} onRetry={reload} />}
      {!failed && error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {!failed && searchable && current === undefined && <SkeletonCards cards={8} />}
      {!failed && current?.frames.length === 0 && (
        <NoFrames filtered={isFiltered(query)} onClearFilters={onClearFilters} />
      )}
      {!failed && current !== undefined && (
        <ul class="grid">
          {frames.slice(0, cards).map(frame => (
            <li key={frame.id}>
              <FrameCard
                frame={frame}
                now={now}
                alike={1 + (('alike' in frame && frame.alike) || 0)}
                onUnstack={() => onSimilar(frame)}
                onOpen={onOpen}
                onSimilar={onSimilar}
              />
            </li>
          ))}
        </ul>
      )}
      {!failed && more && (
        <button
          type="button"
          class="button more"
          disabled={loading}
          onClick={() => setShown({ question, cards: cards + PAGE_SIZE })}
        >
          Show more
        </button>
      )}
    </section>
  )
}

/** What the results should not be like, each with a way to drop it. */
function MinusTerms({ text, onText }: { text: string; onText: (text: string) => void }) {
  const { wanted, unwanted } = splitWords(text)
  if (unwanted.length === 0) return null
  return (
    <div class="minus-terms">
      <span class="hint" id="minus-terms">
        Less like
      </span>
      <ul class="minus-list" aria-labelledby="minus-terms">
        {unwanted.map(term => (
          <li key={term}>
            <button
              type="button"
              class="chip"
              aria-label={`Remove minus ${term}`}
              onClick={() =>
                onText(joinWords({ wanted, unwanted: unwanted.filter(other => other !== term) }))
              }
            >
              − {term} <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {wanted === '' && (
        <p class="hint" role="status">
          Say also what to look for, as in <q>a beach -people</q>.
        </p>
      )}
    </div>
  )
}

function NoFrames({ filtered, onClearFilters }: { filtered: boolean; onClearFilters: () => void }) {
  if (filtered) {
    return (
      <EmptyState icon="search" title="No frame within these filters">
        <p>Choose another camera or a longer time.</p>
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

/** Of the filters only the camera: a standing search looks at what is to come. */
function standing(
  asked: Exclude<SearchRequest['subject'], { image: Blob }>,
  { text, camera }: SearchQuery,
): SavedQuestion {
  return {
    ...asked,
    negatives: splitWords(text).unwanted.map(unwanted => ({ text: unwanted })),
    ...(camera === undefined ? {} : { filter: camera }),
  }
}

function subjectOf(
  { text, like }: SearchQuery,
  picture: QueryPicture | undefined,
): SearchRequest['subject'] | undefined {
  const { wanted } = splitWords(text)
  if (wanted !== '') return { text: wanted }
  if (like !== '') return { id: like }
  return picture === undefined ? undefined : { image: picture.blob }
}
