import { useEffect, useRef, useState } from 'preact/hooks'
import type { Frame, SearchFacets } from '../api-types.ts'
import { onlyTakesAway } from '../minus-terms.ts'
import { preparePicture, type QueryPicture } from '../picture.ts'
import { usePictureUrls } from '../picture-url.ts'
import { standingQuestion, subjectOf, wordsFault } from '../question.ts'
import { formatHash, navigate } from '../router.ts'
import { parseQuery, queryParams, type SearchQuery } from '../search-query.ts'
import { useResource, useServices } from '../services.ts'
import { SaveSearch } from './save-search.tsx'
import { SavedSearches } from './saved-searches.tsx'
import { SearchBox, type Subject } from './search-box.tsx'
import { SearchFilters } from './search-filters.tsx'
import { MinusTerms } from './search-minus-terms.tsx'
import { SearchResults } from './search-results.tsx'

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

/** One box over all cameras and all time. The address is the search, but for a picture, which lives here. */
export function SearchPage({ params, onOpenFrame }: SearchPageProps) {
  const query = parseQuery(params)
  const [picture, setPicture] = useState<QueryPicture>()
  const [pictureFault, setPictureFault] = useState<string>()
  useEffect(() => () => picture && URL.revokeObjectURL(picture.url), [picture])
  const asking = useRef(0)
  useEffect(() => () => void asking.current++, [])
  // Words or a frame in the address win over a picture from before.
  const byPicture = onlyTakesAway(query.text) && query.like === '' ? picture : undefined

  const go = (change: Partial<SearchQuery>) =>
    navigate(formatHash('search', queryParams({ ...query, ...change })))
  const searchBy = (change: Pick<SearchQuery, 'text' | 'like'>) => {
    asking.current++
    setPicture(undefined)
    setPictureFault(undefined)
    go(change)
  }
  const searchText = (text: string) => {
    // Words that only take away leave the picture or the frame as it is.
    if (asked !== undefined && !('text' in asked) && onlyTakesAway(text)) go({ text })
    else searchBy({ text, like: '' })
  }
  const searchPicture = async (file: File) => {
    const turn = ++asking.current
    const prepared = await preparePicture(file)
    // A large picture takes its time: what was asked since then stands.
    if (turn !== asking.current) {
      if (typeof prepared !== 'string') URL.revokeObjectURL(prepared.url)
      return
    }
    if (typeof prepared === 'string') {
      setPictureFault(prepared)
      return
    }
    setPictureFault(undefined)
    setPicture(prepared)
    go({ text: '', like: '' })
  }
  usePictureUrls({ onPicture: searchPicture, onFailure: setPictureFault })

  const { api } = useServices()
  const asked = byPicture === undefined ? subjectOf(query) : { image: byPicture.blob }
  const saved = useResource(asked === undefined ? 'saved' : undefined, signal => api.savedSearches(signal))
  const tooMuch = wordsFault(query.text)
  const standing = tooMuch === undefined ? standingQuestion(query, byPicture?.blob) : undefined
  const suggested = suggestedName(query, byPicture)
  const fault = tooMuch ?? pictureFault
  return (
    <div class="page">
      <div class={asked === undefined ? 'search-head search-head-open' : 'search-head'}>
        <h1 class={asked === undefined ? '' : 'visually-hidden'}>Search every camera</h1>
        <SearchBox
          text={query.text}
          subject={shownSubject(query, byPicture)}
          onText={searchText}
          onPicture={searchPicture}
          onClear={() => searchBy({ text: '', like: '' })}
        />
        {fault !== undefined && (
          <p class="fault" role="alert">
            {fault}
          </p>
        )}
        <MinusTerms text={query.text} alone={asked === undefined} onText={searchText} />
        {asked === undefined && <Examples onText={searchText} />}
      </div>
      {asked === undefined && <SavedSearches searches={saved} />}
      <SearchResults
        hidden={asked === undefined && saved.awaited}
        query={query}
        asked={asked}
        pictureUrl={byPicture?.url}
        onOpen={onOpenFrame}
        onSimilar={frame => searchBy({ text: '', like: frame.id })}
        onNarrow={go}
      >
        {(facets: SearchFacets | undefined) => (
          <>
            {standing !== undefined && (
              <SaveSearch
                key={JSON.stringify([standing, byPicture?.url])}
                question={standing}
                suggested={suggested}
              />
            )}
            <SearchFilters query={query} facets={facets} onChange={go} />
          </>
        )}
      </SearchResults>
    </div>
  )
}

/** Of a search that is saved. */
function suggestedName({ text }: SearchQuery, picture: QueryPicture | undefined): string {
  const subject = onlyTakesAway(text) ? [picture?.name ?? 'More like a frame'] : []
  return [...subject, text].join(' ').trim().slice(0, 200)
}

/** What stands in the box for a picture or a frame. */
function shownSubject({ like }: SearchQuery, picture: QueryPicture | undefined): Subject | undefined {
  if (picture !== undefined) return { label: picture.name, url: picture.url }
  if (like === '') return undefined
  return { label: 'More like this', url: `/api/v1/frames/${encodeURIComponent(like)}/thumbnail` }
}

function Examples({ onText }: { onText: (text: string) => void }) {
  return (
    <ul class="examples" aria-label="Examples">
      {EXAMPLES.map(example => (
        <li key={example}>
          <button type="button" class="chip" onClick={() => onText(example)}>
            {example}
          </button>
        </li>
      ))}
    </ul>
  )
}
