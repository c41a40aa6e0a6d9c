import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { IncidentReview, QueuedIncident, ReviewVerdict } from '../api-types.ts'
import { EmptyState, ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { plural } from '../format.ts'
import {
  current,
  decided,
  heard,
  moved,
  movedTo,
  newSession,
  noted,
  openCount,
  type ReviewSession,
  reviewKey,
  undone,
  without,
} from '../review-session.ts'
import { useRules } from '../rules-context.ts'
import { useComplete, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { RELABEL, ReviewDetail } from './review-detail.tsx'
import { ReviewList } from './review-list.tsx'
import { NOTE } from './review-note.tsx'

/** Incidents on the table at once; the next come when these are done. */
const TABLE = 100

/** A verdict that takes longer is said to be on its way. */
const PATIENCE_MS = 1000

const SAID: Readonly<Record<ReviewVerdict, string>> = {
  confirm: 'Confirmed',
  dismiss: 'Dismissed',
  relabel: 'Relabelled',
}

export function ReviewPage() {
  const { api, live } = useServices()
  const queue = useResource('review', signal => api.reviewQueue(TABLE, signal))
  const [session, setSession] = useState<ReviewSession>(newSession([]))
  const [failed, setFailed] = useState<ApiError>()
  const [said, setSaid] = useState('')
  const [notes, setNotes] = useState<ReadonlyMap<string, string>>(new Map())
  const busy = useRef(false)
  const [waiting, setWaiting] = useState(false)
  const rules = useRules()
  const complete = useComplete(!queue.awaited && !rules.awaited)
  const data = complete ? queue.data : undefined
  useEffect(() => {
    if (data !== undefined) setSession(newSession(data.incidents))
  }, [data])

  const empty = data !== undefined && session.items.length === 0
  // Others review, too; and whoever waits before an empty table sees the next one come.
  useEffect(
    () =>
      live.onIncident(({ id, review }) => {
        setSession(last => heard(last, id, review))
        if (empty && review === null) queue.reload()
      }),
    [live, empty],
  )

  /** One request at a time: a key that is held down must not judge what nobody has seen. */
  const ask = async <Answer,>(
    request: () => Promise<Answer>,
    then: (answer: Answer) => void,
    /** What was asked about is not there any more. */
    gone: (last: ReviewSession) => ReviewSession,
  ) => {
    if (busy.current) return
    busy.current = true
    setFailed(undefined)
    const timer = setTimeout(() => setWaiting(true), PATIENCE_MS)
    try {
      then(await request())
    } catch (error) {
      const failure = asApiError(error)
      setFailed(failure)
      if (failure.status === 404) setSession(gone)
    } finally {
      clearTimeout(timer)
      setWaiting(false)
      busy.current = false
    }
  }
  const noteOf = ({ id }: QueuedIncident) => notes.get(id) ?? session.verdicts.get(id)?.note ?? ''
  const say = async (item: QueuedIncident, verdict: ReviewVerdict, rule?: string) => {
    const note = noteOf(item).trim() || undefined
    const { review } = await api.review(item.id, { verdict, rule, note })
    return review!
  }
  const judge = (item: QueuedIncident, verdict: ReviewVerdict, rule?: string) =>
    ask(
      () => say(item, verdict, rule),
      review => {
        setSession(last => decided(last, item.id, review))
        setSaid(`${SAID[verdict]}: ${item.ruleName} on camera ${item.camera}.`)
      },
      last => without(last, item.id),
    )
  /** The verdict once more: the hub keeps both together. */
  const keepNote = (item: QueuedIncident, { verdict, rule }: IncidentReview) =>
    ask(
      () => say(item, verdict, rule ?? undefined),
      review => {
        setSession(last => noted(last, item.id, review))
        setSaid('Note kept.')
      },
      last => without(last, item.id),
    )
  const undo = () => {
    const id = session.history.at(-1)
    if (id === undefined) return
    void ask(
      () => api.undoReview(id),
      () => {
        setSession(last => undone(last, id))
        setSaid('Taken back.')
      },
      last => heard(last, id, null),
    )
  }

  const mayJudge = useSession().can('operator')
  const item = current(session)
  const review = item === undefined ? undefined : session.verdicts.get(item.id)
  const onKey = (event: KeyboardEvent) => {
    const key = event.repeat && event.key.length === 1 ? undefined : reviewKey(event)
    if (
      key === undefined ||
      (!mayJudge && key !== 'next' && key !== 'previous') ||
      isTyping(event.target) ||
      document.querySelector('dialog[open]') !== null
    )
      return
    event.preventDefault()
    if (key === 'next' || key === 'previous') setSession(moved(session, key === 'next' ? 1 : -1))
    else if (key === 'undo') undo()
    else if (key === 'relabel') document.getElementById(RELABEL)?.focus()
    else if (key === 'note') document.getElementById(NOTE)?.focus()
    else if (item !== undefined) void judge(item, key)
  }
  const newest = useRef(onKey)
  newest.current = onKey
  useEffect(() => {
    const follow = (event: KeyboardEvent) => newest.current(event)
    addEventListener('keydown', follow)
    return () => removeEventListener('keydown', follow)
  }, [])

  const open = openCount(session)
  const beyond = (data?.waiting ?? 0) - session.items.length
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>Review</h1>
          <p class="page-sub">
            {data !== undefined && `${plural(open + beyond, 'incident')} to review`}
            {waiting && ' · waiting for the hub'}
            {data === undefined && queue.error === undefined && 'Loading…'}
          </p>
        </div>
        <p class="review-keys hint">
          <kbd>j</kbd> <kbd>k</kbd> move · <kbd>c</kbd> confirm · <kbd>d</kbd> dismiss · <kbd>r</kbd> relabel
          · <kbd>n</kbd> note · <kbd>u</kbd> undo
        </p>
      </header>
      <p class="visually-hidden" role="status">
        {said}
      </p>
      {failed !== undefined && <ErrorNote error={failed} />}
      {data === undefined && queue.error !== undefined && (
        <ErrorState error={queue.error} onRetry={queue.reload} />
      )}
      {data === undefined && queue.error === undefined && <SkeletonCards cards={2} class="review" />}
      {data !== undefined && session.items.length === 0 && (
        <EmptyState icon="check" title="Nothing to review">
          <p>
            Incidents wait here for a verdict. Each verdict teaches the hub how far a rule can be trusted.
          </p>
        </EmptyState>
      )}
      {item !== undefined && (
        <div class="review">
          <ReviewList session={session} onChoose={id => setSession(movedTo(session, id))} />
          <ReviewDetail
            item={item}
            review={review}
            note={noteOf(item)}
            place={{ at: session.at, of: session.items.length }}
            round={session.round}
            mayJudge={mayJudge}
            canUndo={session.history.length > 0}
            onMove={step => setSession(moved(session, step))}
            onJudge={(verdict, rule) => void judge(item, verdict, rule)}
            onNote={text => setNotes(last => new Map(last).set(item.id, text))}
            onKeepNote={() => review !== undefined && void keepNote(item, review)}
            onUndo={undo}
          />
        </div>
      )}
      {session.items.length > 0 && open === 0 && (
        <p class="review-done">
          <button type="button" class="button button-primary" onClick={queue.reload}>
            {beyond > 0 ? `Next ${Math.min(beyond, TABLE)}` : 'Look for more'}
          </button>
        </p>
      )}
    </div>
  )
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, select, textarea') !== null
}
