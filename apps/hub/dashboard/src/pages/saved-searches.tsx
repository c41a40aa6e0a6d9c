import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { SavedSearch } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { savedAddress } from '../question.ts'
import { formatHash } from '../router.ts'
import { type Resource, useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'

const SHOWN_HITS = 12

/** Standing searches with what they caught; nothing while there are none. */
export function SavedSearches({ searches }: { searches: Resource<readonly SavedSearch[]> }) {
  const { data, error, reload } = searches
  if (error !== undefined && data === undefined) return <ErrorNote error={error} onRetry={reload} />
  if (data === undefined || data.length === 0) return null
  return (
    <section class="saved" aria-label="Saved searches">
      <h2>Saved searches</h2>
      <ul class="saved-list">
        {data.map(search => (
          <li key={search.id} class="card saved-search">
            <SavedEntry search={search} onRemoved={reload} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function SavedEntry({ search, onRemoved }: { search: SavedSearch; onRemoved: () => void }) {
  const { api } = useServices()
  const { name, can } = useSession()
  const address = savedAddress(search)
  const [asked, setAsked] = useState(false)
  const [failed, setFailed] = useState<ApiError>()
  const remove = async () => {
    try {
      await api.removeSearch(search.id)
      onRemoved()
    } catch (error) {
      setFailed(asApiError(error))
    }
  }
  return (
    <>
      <header class="saved-head">
        <h3>
          {address === undefined ? (
            search.name
          ) : (
            <a href={address} title="Search all stored frames for it">
              {search.name}
            </a>
          )}
        </h3>
        {(can('operator') || search.owner === `user:${name}`) && (
          <button
            type="button"
            class="button button-small button-plain"
            aria-label={asked ? `Really delete ${search.name}` : `Delete ${search.name}`}
            onBlur={() => setAsked(false)}
            onClick={() => (asked ? remove() : setAsked(true))}
          >
            {asked ? 'Really delete?' : 'Delete'}
          </button>
        )}
      </header>
      <p class="hint">
        {search.subjects.join(', ')} · cosine from {search.threshold.toFixed(3)}
      </p>
      {failed !== undefined && <ErrorNote error={failed} onRetry={remove} />}
      <div class="saved-caught">
        <SavedHits search={search} />
      </div>
    </>
  )
}

function SavedHits({ search }: { search: SavedSearch }) {
  const { api } = useServices()
  const now = useNow(5000)
  const { data, error, reload } = useResource(search.id, signal =>
    api.savedHits(search.id, SHOWN_HITS, signal),
  )
  if (error !== undefined) return <ErrorNote error={error} onRetry={reload} />
  if (data === undefined) return <p role="status">Loading…</p>
  if (data.length === 0) return <p class="hint">No frame has matched since it was saved.</p>
  return (
    <ul class="saved-hits" aria-label={`Hits of ${search.name}`}>
      {data.map(({ frameId, capturedAt }) => (
        <li key={frameId}>
          <a href={formatHash('search', { frame: frameId })}>
            <Thumbnail url={`/api/v1/frames/${encodeURIComponent(frameId)}/thumbnail`} alt="" none="" />
            <Ago iso={capturedAt} now={now} />
          </a>
        </li>
      ))}
    </ul>
  )
}
