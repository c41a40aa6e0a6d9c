import { useEffect, useRef, useState } from 'preact/hooks'
import { ErrorNote } from '../components/states.tsx'
import type { Pages } from '../use-pages.ts'

/** Pages that come by themselves, one after the other; then the end of the page can be reached, and a button asks. */
const AUTO_PAGES = 5
/** The next page is asked for before its place comes into view. */
const AHEAD = '900px 0px'

/** The end of the results as they are: more of them as one scrolls, or by a button. */
export function SearchMore({ pages, question }: { pages: Pages; question: string }) {
  const { frames, more, loading, error, load } = pages
  const end = useRef<HTMLDivElement>(null)
  const [auto, setAuto] = useState({ question, left: AUTO_PAGES })
  const left = auto.question === question ? auto.left : AUTO_PAGES
  const goesOn = more && !loading && error === undefined && left > 0
  const next = useRef(() => {})
  next.current = () => {
    setAuto({ question, left: left - 1 })
    load()
  }
  useEffect(() => {
    if (!goesOn || end.current === null) return
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return
        observer.disconnect()
        next.current()
      },
      { rootMargin: AHEAD },
    )
    observer.observe(end.current)
    return () => observer.disconnect()
  }, [goesOn, frames.length])
  const focusFirstNew = useFocusAfter(frames.length)

  return (
    <div ref={end} class="more" aria-busy={loading}>
      {error !== undefined && <ErrorNote error={error} onRetry={load} />}
      {more && error === undefined && (
        <button
          type="button"
          class="button"
          // A button that is truly disabled loses the focus.
          aria-disabled={loading}
          onClick={() => {
            if (loading) return
            focusFirstNew()
            setAuto({ question, left: AUTO_PAGES })
            load()
          }}
        >
          {loading ? 'Loading…' : 'Load more'}
        </button>
      )}
      <p class="hint" role="status">
        {!more && frames.length > 0 && 'That is all.'}
      </p>
    </div>
  )
}

/** Once there are more cards, the first new one gets the focus: the button has moved on behind them. */
function useFocusAfter(shown: number): () => void {
  const from = useRef<number | undefined>(undefined)
  useEffect(() => {
    const before = from.current
    if (before === undefined || shown <= before) return
    from.current = undefined
    const asked = requestAnimationFrame(() => {
      const card = `.grid > li[aria-posinset="${before + 1}"] .frame-open`
      document.querySelector<HTMLElement>(card)?.focus()
    })
    return () => cancelAnimationFrame(asked)
  }, [shown])
  return () => {
    from.current = shown
  }
}
