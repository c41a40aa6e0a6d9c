import { createContext } from 'preact'
import { useContext, useEffect, useRef, useState } from 'preact/hooks'
import type { ApiClient } from './api.ts'
import { type ApiError, asApiError } from './api-error.ts'
import type { LiveStore, LiveView } from './live-store.ts'

/** What pages need of the outside; made in main.tsx. */
export interface Services {
  readonly api: ApiClient
  readonly live: LiveStore
}

export const ServicesContext = createContext<Services | undefined>(undefined)

export function useServices(): Services {
  return useContext(ServicesContext)!
}

export function useLive(): LiveView {
  const { live } = useServices()
  const [view, setView] = useState(live.view)
  useEffect(() => {
    const follow = () => setView(live.view)
    follow()
    return live.subscribe(follow)
  }, [live])
  return view
}

export interface Resource<T> {
  /** The newest answer; kept while a new one loads or fails. */
  readonly data: T | undefined
  readonly error: ApiError | undefined
  readonly loading: boolean
  /** Whether there is neither answer nor error to show so far. */
  readonly awaited: boolean
  readonly reload: () => void
}

interface Settled<T> extends Pick<Resource<T>, 'data' | 'error'> {
  /** The question that was answered last. */
  readonly settled: string
}

/** Loads when `key` changes, and drops the answer to a question that is no longer asked. No key: nothing to load. */
export function useResource<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
): Resource<T> {
  const { live } = useServices()
  const [round, setRound] = useState(0)
  const [state, setState] = useState<Settled<T>>({ data: undefined, error: undefined, settled: '' })
  const newest = useRef(load)
  newest.current = load
  const question = key === undefined ? undefined : `${round} ${key}`
  useEffect(() => {
    if (question === undefined) return
    const aborter = new AbortController()
    newest.current(aborter.signal).then(
      data => {
        if (!aborter.signal.aborted) setState({ data, error: undefined, settled: question })
      },
      error => {
        if (aborter.signal.aborted) return
        setState(({ data }) => ({ data, error: asApiError(error), settled: question }))
      },
    )
    return () => aborter.abort()
  }, [question])
  const settled = state.settled === question
  const failed = settled && state.error !== undefined
  // What failed while the hub was away is asked again when it is back.
  useEffect(() => {
    if (!failed) return
    const again = () => setRound(last => last + 1)
    let before = live.view.state
    const unsubscribe = live.subscribe(() => {
      const { state: now } = live.view
      if (now === 'live' && before !== 'live') again()
      before = now
    })
    // A short loss may end before the live connection has noticed it.
    addEventListener('online', again)
    return () => {
      unsubscribe()
      removeEventListener('online', again)
    }
  }, [failed, live])
  return {
    data: state.data,
    error: settled ? state.error : undefined,
    loading: question !== undefined && !settled,
    awaited: question !== undefined && !settled && state.data === undefined,
    reload: () => setRound(last => last + 1),
  }
}

/**
 * True from the first time on that all is there which belongs on a page. What comes in pieces moves its buttons away
 * from under the hand, and what goes while it is asked for anew takes along what was being written in it.
 */
export function useComplete(complete: boolean): boolean {
  const once = useRef(false)
  once.current ||= complete
  return once.current
}

/** The time, renewed every `everyMs`, for ages on the page. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
