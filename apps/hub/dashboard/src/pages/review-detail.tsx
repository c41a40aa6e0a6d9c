import { useRef } from 'preact/hooks'
import type { IncidentReview, QueuedIncident, ReviewVerdict } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { ScoreBar, SeverityBadge } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { absoluteTime, duration, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { useRules } from '../rules-context.ts'
import { ReviewNote } from './review-note.tsx'
import { RuleTrust } from './rule-trust.tsx'

/** Id of the control that relabels, for the key that goes to it. */
export const RELABEL = 'review-relabel'

export interface ReviewDetailProps {
  readonly item: QueuedIncident
  readonly review: IncidentReview | undefined
  /** What is written so far, kept or not. */
  readonly note: string
  /** Which of how many, from 0. */
  readonly place: { readonly at: number; readonly of: number }
  /** Changes with every verdict. */
  readonly round: number
  readonly mayJudge: boolean
  readonly canUndo: boolean
  readonly onMove: (step: number) => void
  readonly onJudge: (verdict: ReviewVerdict, rule?: string) => void
  readonly onNote: (note: string) => void
  readonly onKeepNote: () => void
  readonly onUndo: () => void
}

export function ReviewDetail(props: ReviewDetailProps) {
  const { item, review, note, place, round, mayJudge, canUndo } = props
  const { onMove, onJudge, onNote, onKeepNote, onUndo } = props
  const detail = useRef<HTMLElement>(null)
  const confirm = useRef<HTMLButtonElement>(null)
  const { data } = useRules()
  const rule = data?.rules.find(({ id }) => id === item.rule)
  const others = (data?.rules ?? []).filter(({ id }) => id !== item.rule)
  return (
    <section ref={detail} class="review-detail card" aria-labelledby="review-title" tabIndex={-1}>
      <h2 id="review-title" class="review-title">
        <span title={item.ruleName}>{item.ruleName}</span> <SeverityBadge severity={item.severity} />
      </h2>
      <a class="review-picture" href={formatHash('review', { frame: item.bestFrameId })}>
        <Thumbnail
          url={item.thumbnailUrl}
          alt={`Best frame of camera ${item.camera}: details`}
          none="No picture is kept of this camera, or it has run out. Judge by what is known: score, camera and time."
        />
      </a>
      {mayJudge ? (
        <div class="actions">
          <button
            ref={confirm}
            type="button"
            class="button button-primary"
            aria-keyshortcuts="c"
            onClick={() => onJudge('confirm')}
          >
            <Icon name="check" /> Confirm{' '}
            <span class="key" aria-hidden="true">
              c
            </span>
          </button>
          <button type="button" class="button" aria-keyshortcuts="d" onClick={() => onJudge('dismiss')}>
            <Icon name="close" /> Dismiss{' '}
            <span class="key" aria-hidden="true">
              d
            </span>
          </button>
          <button
            type="button"
            class="button"
            aria-keyshortcuts="u"
            disabled={!canUndo}
            onClick={() => {
              // It may be the last to take back, and a button that is disabled loses the focus.
              confirm.current?.focus()
              onUndo()
            }}
          >
            Undo{' '}
            <span class="key" aria-hidden="true">
              u
            </span>
          </button>
        </div>
      ) : (
        <p class="hint">Operators confirm and dismiss; you may look.</p>
      )}
      <nav class="review-steps" aria-label="Incidents">
        <button
          type="button"
          class="button button-small"
          aria-keyshortcuts="k"
          aria-disabled={place.at === 0}
          onClick={() => onMove(-1)}
        >
          Previous
        </button>
        <span class="hint">
          {place.at + 1} of {place.of}
        </span>
        <button
          type="button"
          class="button button-small"
          aria-keyshortcuts="j"
          aria-disabled={place.at === place.of - 1}
          onClick={() => onMove(1)}
        >
          Next
        </button>
      </nav>
      {rule !== undefined && <p class="hint">Looks for: {rule.positives.join(', ')}</p>}
      <ScoreBar score={item.peakScore} label="Peak score" />
      <dl class="facts">
        <Fact name="Camera">
          {item.camera} on {item.node}, site {item.site}
        </Fact>
        <Fact name="Began">{absoluteTime(item.startedAt)}</Fact>
        <Fact name="Lasted">
          {item.endedAt === null
            ? 'still goes on'
            : duration(Date.parse(item.endedAt) - Date.parse(item.startedAt))}
          {`, ${plural(item.frames, 'frame')}`}
        </Fact>
        {review !== undefined && <Fact name="Verdict">{review.verdict}</Fact>}
      </dl>
      {mayJudge && others.length > 0 && (
        <label class="review-relabel">
          <span>
            It shows what another rule looks for{' '}
            <span class="key" aria-hidden="true">
              r
            </span>
          </span>
          <select
            id={RELABEL}
            class="input"
            aria-keyshortcuts="r"
            value=""
            onChange={event => {
              const { value } = event.currentTarget
              // The keys work again, and the place on the page is kept.
              confirm.current?.focus()
              if (value !== '') onJudge('relabel', value)
            }}
          >
            <option value="">Choose a rule…</option>
            {others.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {mayJudge && (
        <ReviewNote
          key={item.id}
          note={note}
          unkept={review !== undefined && note.trim() !== (review.note ?? '')}
          onChange={onNote}
          onKeep={onKeepNote}
          // Not to a button: the Enter that is still held down would press it. Back to the picture, that the next one is seen.
          onLeave={() => {
            detail.current?.focus({ preventScroll: true })
            detail.current?.scrollIntoView()
          }}
        />
      )}
      <RuleTrust rule={item.rule} round={round} />
    </section>
  )
}
