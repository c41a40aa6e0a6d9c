import type { QueuedIncident, ReviewVerdict } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { ScoreBar, SeverityBadge } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { absoluteTime, duration, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { useRules } from '../rules-context.ts'

export interface ReviewDetailProps {
  readonly item: QueuedIncident
  readonly verdict: ReviewVerdict | undefined
  readonly canUndo: boolean
  readonly onJudge: (verdict: ReviewVerdict, rule?: string) => void
  readonly onUndo: () => void
}

export function ReviewDetail({ item, verdict, canUndo, onJudge, onUndo }: ReviewDetailProps) {
  const { data } = useRules()
  const rule = data?.rules.find(({ id }) => id === item.rule)
  const others = (data?.rules ?? []).filter(({ id }) => id !== item.rule)
  return (
    <section class="review-detail card" aria-labelledby="review-title">
      <a class="review-picture" href={formatHash('review', { frame: item.bestFrameId })}>
        <Thumbnail
          url={item.thumbnailUrl}
          alt={`Best frame of camera ${item.camera}: details`}
          none="No picture kept: details"
        />
      </a>
      <h2 id="review-title">
        {item.ruleName} <SeverityBadge severity={item.severity} />
      </h2>
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
        {verdict !== undefined && <Fact name="Verdict">{verdict}</Fact>}
      </dl>
      <div class="actions">
        <button
          type="button"
          class="button button-primary"
          aria-keyshortcuts="c"
          onClick={() => onJudge('confirm')}
        >
          <Icon name="check" /> Confirm
        </button>
        <button type="button" class="button" aria-keyshortcuts="d" onClick={() => onJudge('dismiss')}>
          <Icon name="close" /> Dismiss
        </button>
        <button type="button" class="button" aria-keyshortcuts="u" disabled={!canUndo} onClick={onUndo}>
          Undo
        </button>
      </div>
      {others.length > 0 && (
        <label class="review-relabel">
          <span>It shows what another rule looks for</span>
          <select
            class="input"
            value=""
            onChange={event => {
              const { value } = event.currentTarget
              event.currentTarget.blur()
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
    </section>
  )
}
