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
  const list = useRef<HTMLOListElement>(null)
  const chosen = useRef<HTMLLIElement>(null)
  // Within the list alone: on a phone it is as long as its rows, and the page must stay where it is.
  useEffect(() => {
    const [box, row] = [list.current, chosen.current]
    if (box === null || row === null) return
    const [{ top, bottom }, seen] = [row.getBoundingClientRect(), box.getBoundingClientRect()]
    if (top < seen.top) box.scrollTop -= seen.top - top
    else if (bottom > seen.bottom) box.scrollTop += bottom - seen.bottom
  }, [at])
  return (
    <ol ref={list} class="review-list card" aria-label="Incidents to review">
      {items.map((item, index) => {
        const review = verdicts.get(item.id)
        return (
          <li key={item.id} ref={index === at ? chosen : null}>
            <button
              type="button"
              class={`incident review-row severity-${item.severity}${review === undefined ? '' : ' review-row-done'}`}
              aria-current={index === at ? 'true' : undefined}
              onClick={() => onChoose(item.id)}
            >
              <span class="incident-picture">
                <Thumbnail url={item.thumbnailUrl} alt="" />
              </span>
              <span class="incident-text">
                <span class="incident-head">
                  <span class="incident-name" title={item.ruleName} dir="auto">
                    {item.ruleName}
                  </span>
                  <SeverityBadge severity={item.severity} />
                </span>
                <span class="incident-line">
                  {item.camera} · peak {percent(item.peakScore)}
                  {item.reason === 'audit' && ' · random check'}
                </span>
                {review !== undefined && <span class="review-said">{review.verdict}</span>}
                {review?.note && <span class="incident-line review-written">{review.note}</span>}
              </span>
            </button>
          </li>
        )
      })}
    </ol>
  )
}
