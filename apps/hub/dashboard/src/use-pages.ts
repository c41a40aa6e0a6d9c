import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from './api-error.ts'
import type { HitPage } from './hit-pages.ts'

export interface Pages extends Pick<HitPage, 'frames'> {
  /** There is more. */
  readonly more: boolean
  readonly loading: boolean
  /** Why the next page did not come; what was there stays. */
  readonly error: ApiError | undefined
  readonly load: () => void
}

interface Loaded extends Pick<HitPage, 'frames' | 'next'> {
  readonly first: HitPage | undefined
  readonly loading: boolean
  readonly error: ApiError | undefined
}

const NOTHING: Pick<HitPage, 'frames' | 'next'> = { frames: [], next: undefined }

/** The first page and those that were asked for since; another first page is another answer, which begins anew. */
export function usePages(first: HitPage | undefined): Pages {
  const [loaded, setLoaded] = useState<Loaded>()
  const { frames, next } = first ?? NOTHING
  const current: Loaded =
    loaded?.first === first && loaded !== undefined
      ? loaded
      : { first, frames, next, loading: false, error: undefined }
  const running = useRef<AbortController>(undefined)
  useEffect(() => () => running.current?.abort(), [first])
  const load = async () => {
    if (current.next === undefined || current.loading) return
    const aborter = new AbortController()
    running.current = aborter
    setLoaded({ ...current, loading: true, error: undefined })
    try {
      const page = await current.next(aborter.signal)
      if (aborter.signal.aborted) return
      setLoaded({
        first,
        frames: [...current.frames, ...unseen(page.frames, current.frames)],
        next: page.next,
        loading: false,
        error: undefined,
      })
    } catch (failed) {
      if (!aborter.signal.aborted) setLoaded({ ...current, loading: false, error: asApiError(failed) })
    }
  }
  return {
    frames: current.frames,
    more: current.next !== undefined,
    loading: current.loading,
    error: current.error,
    load: () => void load(),
  }
}

/** Two cards of one frame would have one key. */
function unseen(arrived: HitPage['frames'], known: HitPage['frames']): HitPage['frames'] {
  const ids = new Set(known.map(({ id }) => id))
  return arrived.filter(({ id }) => !ids.has(id))
}
