import { useEffect, useRef } from 'preact/hooks'
import { SeverityBadge } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { percent } from '../format.ts'
import type { ReviewSession } from '../review-session.ts'

export interface ReviewListProps {
  readonly session: ReviewSession
  readonly onChoose: (id: string) => void
}

export function ReviewList({ session, onChoose }: ReviewListProps) {
  const { items, at, verdicts } = session
  const chosen = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (at >= 0) chosen.current?.scrollIntoView({ block: 'nearest' })
  }, [at])
  return (
    <ol class="review-list card" aria-label="Incidents to review">
      {items.map((item, index) => {
        const verdict = verdicts.get(item.id)
        return (
          <li key={item.id}>
            <button
              ref={index === at ? chosen : null}
              type="button"
              class={`incident review-row severity-${item.severity}${verdict === undefined ? '' : ' review-row-done'}`}
              aria-current={index === at ? 'true' : undefined}
              onClick={() => onChoose(item.id)}
            >
              <span class="incident-picture">
                <Thumbnail url={item.thumbnailUrl} alt="" />
              </span>
              <span class="incident-text">
                <span class="incident-head">
                  <span class="incident-name">{item.ruleName}</span>
                  <SeverityBadge severity={item.severity} />
                </span>
                <span class="incident-line">
                  {item.camera} · peak {percent(item.peakScore)}
                  {item.reason === 'audit' && ' · random check'}
                </span>
                {verdict !== undefined && <span class="review-said">{verdict}</span>}
              </span>
            </button>
          </li>
        )
      })}
    </ol>
  )
}
